import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lhotse.cut import Cut

from spoken import RATE, cut_of, items, spoken_us, us
from sprachbund.data.aligning.pocketsphinx_aligner import DOUBTFUL_SCORE, PocketSphinxAligner
from sprachbund.data.aligning.results import Finding, Outcome, with_findings
from sprachbund.errors import DataError, RecipeError
from sprachbund.tokens.phones import PHONES, SILENCE


@dataclass(frozen=True)
class Says:
    """Says every word in one way."""

    phones: tuple[str, ...] = ("AH", "S", "IY")
    fingerprint: str = "one way"

    def __call__(self, words: Sequence[str]) -> list[tuple[str, ...]]:
        return [self.phones for _ in words]


@cache
def aligner(has_places: bool = False, is_decoding: bool = False) -> PocketSphinxAligner:
    return PocketSphinxAligner(Says(), has_places, is_decoding)


def find(cut: Cut, **choices: bool) -> tuple[Finding, ...]:
    return next(aligner(**choices).find([cut], 1))


def align(cut: Cut, **choices: bool) -> Cut:
    return with_findings(cut, find(cut, **choices), "f")


@pytest.mark.parametrize("lead", [0.2, 0.3, 0.5])
def test_phones_are_found_where_they_are(tmp_path: Path, lead: float) -> None:
    cut = align(us(tmp_path, lead))
    spoken = [item for item in items(cut, "phone") if item[0] != SILENCE]
    assert [symbol for symbol, _, _ in spoken] == ["AH", "S"]
    (_, start, middle), (_, other, end) = spoken
    assert middle == other
    assert np.abs(np.array([start, middle, end]) - [lead, lead + 0.2, lead + 0.4]).max() < 0.04
    assert items(cut, "word") == [("us", start, end)]


def test_phones_follow_each_other_in_steps_of_10_ms(tmp_path: Path) -> None:
    cut = align(us(tmp_path))
    phones = items(cut, "phone")
    assert phones[0][1] == 0
    assert all(one[2] == pytest.approx(other[1]) for one, other in itertools.pairwise(phones))
    assert 0 <= cut.duration - phones[-1][2] < 0.05
    for symbol, start, end in phones:
        assert symbol in (*PHONES, SILENCE)
        assert [round(time * 100, 4) % 1 for time in (start, end)] == [0, 0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["us", "a", "want", "two", "ussy"]), min_size=1, max_size=4),
    st.integers(300, 40_000),
    st.floats(-0.2, 0.9),
    st.floats(-0.5, 3.0),
    st.booleans(),
)
def test_tiers_are_monotone_and_inside_the_sound(
    tmp_path: Path, words: list[str], num_samples: int, start: float, length: float, has_places: bool
) -> None:
    waveform = np.resize(spoken_us(0.2), num_samples)
    cut = cut_of(tmp_path, "cut", waveform, [(start, length, " ".join(words), "en")])
    (finding,) = find(cut, has_places=has_places)
    for tier in finding.tiers.values():
        ends = [max(0.0, start), *(round(item.end, 8) for item in tier)]
        assert all(item.duration > 0 for item in tier)
        assert all(item.start >= before - 1e-6 for item, before in zip(tier, ends, strict=False))
        assert ends[-1] <= min(cut.duration, start + length) + 1e-6
    if finding.tiers:
        said, heard = finding.tiers["word"], [item for item in finding.tiers["phone"] if item.symbol != SILENCE]
        assert [item.symbol for item in said] == words
        assert said[0].start == heard[0].start
        assert said[-1].end == pytest.approx(heard[-1].end)
        assert finding.score is not None
        assert finding.score <= 0


def test_what_was_heard_before_changes_nothing(tmp_path: Path) -> None:
    """No mean of earlier clips, no word that an earlier clip taught."""
    clips = [us(tmp_path, 0.3, "a"), us(tmp_path, 0.5, "b", "us ussy"), us(tmp_path, 0.2, "c", "us, ussy")]
    forth, back = ([find(clip) for clip in order] for order in (clips, clips[::-1]))
    assert forth == back[::-1]
    assert [one.guessed_words for (one,) in forth] == [(), ("ussy",), ("ussy",)]


def test_processes_change_nothing(tmp_path: Path) -> None:
    cuts = [us(tmp_path, 0.3, "a"), us(tmp_path, 0.5, "b", "us ussy")]
    one, two = (list(aligner().find(cuts, jobs)) for jobs in (1, 2))
    assert one == two


def test_words_are_said_as_the_pronouncer_says(tmp_path: Path) -> None:
    """Another pronouncer in the same process does not hear the word as the first did."""
    cut = us(tmp_path, text="a ussy")
    found = []
    for phones in (("AH", "S"), ("S", "AH", "S"), ("AH", "S")):
        (finding,) = next(PocketSphinxAligner(Says(phones)).find([cut], 1))
        found.append(tuple(item.symbol for item in finding.tiers["phone"] if item.symbol != SILENCE)[1:])
    assert found == [("AH", "S"), ("S", "AH", "S"), ("AH", "S")]


def test_each_supervision_is_aligned_in_its_own_part(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.3), spoken_us(0.5)])
    cut = align(cut_of(tmp_path, "two", waveform, [(0.0, 1.0, "us", "en"), (1.0, 1.2, "us", None)]))
    first, second = items(cut, "word")
    assert first[1] == pytest.approx(0.3, abs=0.03)
    assert second[1] == pytest.approx(1.5, abs=0.03)


def test_phones_say_their_place_in_the_word(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.2)] * 3)
    cut = cut_of(tmp_path, "us-want-a", waveform, [(0.0, len(waveform) / RATE, "us want a", "en")])
    plain, placed = ([item[0] for item in items(align(cut, has_places=places), "phone")] for places in (False, True))
    assert [symbol.partition("_")[0] for symbol in placed] == plain
    assert [symbol[-2:] for symbol in placed if symbol != SILENCE] == ["_B", "_E", "_B", "_I", "_I", "_E", "_S"]


@pytest.mark.parametrize(
    ("text", "language", "outcome"),
    [
        ("", "en", Outcome.NO_TRANSCRIPT),
        ("...", "en", Outcome.NO_TRANSCRIPT),
        ("uns", "de", Outcome.NOT_ENGLISH),
        ("us 日本", None, Outcome.NOT_ENGLISH),
        ("Ussyx. Blenkt", None, Outcome.NO_KNOWN_WORD),
        ("incomprehensibilities us " * 20, "en", Outcome.NOT_ALIGNABLE),
    ],
    ids=["empty", "no letter", "German", "Japanese", "made up", "too long"],
)
def test_what_cannot_be_aligned_is_told(tmp_path: Path, text: str, language: str | None, outcome: Outcome) -> None:
    cut = us(tmp_path, text=text, language=language)
    assert [one.outcome for one in find(cut)] == [outcome]
    assert align(cut) == cut
    # The aligner is fit for use after it.
    assert find(us(tmp_path, name="next"))[0].outcome is Outcome.ALIGNED


def test_a_clip_shorter_than_a_frame_is_told(tmp_path: Path) -> None:
    short = cut_of(tmp_path, "short", np.zeros(40, np.float32), [(0.0, 40 / RATE, "us", "en")])
    without = cut_of(tmp_path, "without", spoken_us(0.2), [])
    assert [one.outcome for one in find(short)] == [Outcome.NOT_ALIGNABLE]
    assert [one.outcome for one in find(without)] == [Outcome.NO_TRANSCRIPT]
    silent = replace(short, supervisions=[])
    assert [one.outcome for one in find(silent, is_decoding=True)] == [Outcome.NO_TRANSCRIPT]


def test_one_recording_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    cuts = [us(tmp_path, name=name) for name in ("gone", "cut-short", "sound", "text-less")]
    (tmp_path / "gone.wav").unlink()
    (tmp_path / "cut-short.wav").write_bytes((tmp_path / "cut-short.wav").read_bytes()[:5000])
    cuts[3] = us(tmp_path, name="text-less", text="")
    (tmp_path / "text-less.wav").unlink()
    found = [one for (one,) in aligner().find(cuts, 1)]
    assert [one.outcome for one in found] == [
        Outcome.UNREADABLE,
        Outcome.UNREADABLE,
        Outcome.ALIGNED,
        Outcome.NO_TRANSCRIPT,
    ]
    assert "gone.wav" in found[0].detail


def test_numbers_are_said_and_pronunciations_are_not_shown(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.2)] * 3)
    cut = cut_of(tmp_path, "numbers", waveform, [(0.0, len(waveform) / RATE, "2 want A us", "en-GB")])
    assert [symbol for symbol, _, _ in items(align(cut), "word")] == ["two", "want", "a", "us"]


def test_without_a_transcript_phones_are_decoded(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.3), spoken_us(0.5)])
    cut = cut_of(tmp_path, "cut", waveform, [(0.0, 1.0, "us", "en"), (1.0, 1.2, "", None)])
    said, decoded = find(cut, is_decoding=True)
    assert (said.outcome, decoded.outcome) == (Outcome.ALIGNED, Outcome.DECODED)
    assert find(cut, is_decoding=False)[0] == said
    phones = decoded.tiers["phone"]
    assert decoded.tiers.keys() == {"phone"}
    assert {item.symbol for item in phones} <= {*PHONES, SILENCE}
    assert all(one.end == pytest.approx(other.start) for one, other in itertools.pairwise(phones))
    assert phones[0].start >= 1.0
    assert phones[-1].end <= 2.2 + 1e-6
    # The hiss is heard as one, at its place.
    assert any(item.symbol in ("S", "SH", "F", "TH", "Z") and item.start < 1.8 < item.end for item in phones)


def test_a_wrong_transcript_scores_lower(tmp_path: Path) -> None:
    """Steel Sky gives the threshold; here it is enough that the right word is ahead."""
    right, wrong = (find(us(tmp_path, text=text))[0].score for text in ("us", "wallow"))
    assert right is not None
    assert wrong is not None
    assert DOUBTFUL_SCORE < 0
    assert right > wrong


def test_places_of_decoded_phones_are_refused() -> None:
    with pytest.raises(RecipeError, match="no place in a word"):
        PocketSphinxAligner(Says(), has_places=True, is_decoding=True)


def test_the_fingerprint_tells_what_matters() -> None:
    other = PocketSphinxAligner(Says(fingerprint="another way"))
    assert aligner().fingerprint == PocketSphinxAligner(Says()).fingerprint
    # Also whether phones are decoded, else what is finished without would be taken for finished with it.
    assert len({one.fingerprint for one in (aligner(), aligner(True), aligner(is_decoding=True), other)}) == 4


def test_a_missing_package_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(DataError, match=r"pip install 'sprachbund\[alignment\]'"):
        PocketSphinxAligner(Says())
