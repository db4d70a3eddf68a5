import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.cut import Cut
from scipy.signal import lfilter

from sprachbund.data import alignment
from sprachbund.data.alignment import Outcome, align_cut, align_cuts
from sprachbund.data.phones import SILENCE
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError
from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.letter_to_sound import PHONES

RATE = 16_000


def vowel(num_samples: int) -> Array:
    """Pulses of a voice that falls from 130 Hz, through the resonances of a half-open mouth."""
    periods = np.cumsum(130 - 100 * np.arange(num_samples) / RATE) / RATE
    wave = np.diff(np.floor(periods), prepend=0)
    for frequency, width in ((640, 80), (1190, 90), (2390, 120), (3500, 200)):
        radius = np.exp(-np.pi * width / RATE)
        wave = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2], wave)
    wave = lfilter([1, -0.95], [1], wave)
    return 0.3 * wave / np.abs(wave).max()


def spoken_us(lead: float) -> Array:
    """The word "us", 0.2 s of a vowel and 0.2 s of a hiss, after `lead` seconds of a little noise."""
    generator = np.random.default_rng(0)
    word = np.concatenate([vowel(3200), 0.05 * np.diff(generator.standard_normal(3201))])
    waveform = 0.003 * generator.standard_normal(round(lead * RATE) + len(word) + 4800)
    waveform[round(lead * RATE) :][: len(word)] += word
    return waveform.astype(np.float32)


def cut_of(folder: Path, name: str, waveform: Array, texts: list[tuple[float, float, str, str | None]]) -> MonoCut:
    path = folder / f"{name}.wav"
    write_audio(path, waveform, RATE)
    seconds = len(waveform) / RATE
    recording = Recording(name, [AudioSource("file", [0], str(path))], RATE, len(waveform), seconds)
    said = [
        SupervisionSegment(f"{name}-{number}", name, start, length, text=text, language=language)
        for number, (start, length, text, language) in enumerate(texts)
    ]
    return MonoCut(name, 0.0, seconds, 0, recording=recording, supervisions=said)


def us(folder: Path, lead: float = 0.3, name: str = "us", text: str = "us", language: str | None = "en") -> MonoCut:
    waveform = spoken_us(lead)
    return cut_of(folder, name, waveform, [(0.0, len(waveform) / RATE, text, language)])


def items(cut: Cut, tier: str) -> list[tuple[str, float, float]]:
    return [(item.symbol, item.start, item.end) for said in cut.supervisions for item in said.alignment[tier]]


@pytest.mark.parametrize("lead", [0.2, 0.3, 0.5])
def test_phones_are_found_where_they_are(tmp_path: Path, lead: float) -> None:
    cut = align_cut(us(tmp_path, lead)).cut
    spoken = [item for item in items(cut, "phone") if item[0] != SILENCE]
    assert [symbol for symbol, _, _ in spoken] == ["AH", "S"]
    (_, start, middle), (_, other, end) = spoken
    assert middle == other
    assert np.abs(np.array([start, middle, end]) - [lead, lead + 0.2, lead + 0.4]).max() < 0.04
    assert items(cut, "word") == [("us", start, end)]


def test_phones_follow_each_other_in_steps_of_10_ms(tmp_path: Path) -> None:
    cut = align_cut(us(tmp_path)).cut
    phones = items(cut, "phone")
    assert phones[0][1] == 0
    assert all(one[2] == pytest.approx(other[1]) for one, other in itertools.pairwise(phones))
    assert 0 <= cut.duration - phones[-1][2] < 0.05
    for symbol, start, end in phones:
        assert symbol in (*PHONES, SILENCE)
        assert [round(time * 100, 4) % 1 for time in (start, end)] == [0, 0]


def test_what_was_heard_before_changes_nothing(tmp_path: Path) -> None:
    """No mean of earlier clips, no word that an earlier clip taught."""
    clips = [us(tmp_path, 0.3, "a"), us(tmp_path, 0.5, "b", "ussy"), us(tmp_path, 0.2, "c", "us, ussy")]
    forth, back = ([align_cut(clip) for clip in order] for order in (clips, clips[::-1]))
    assert forth == back[::-1]
    assert [one.guessed_words for one in forth] == [(), ("ussy",), ("ussy",)]


def test_processes_change_nothing(tmp_path: Path) -> None:
    cuts = CutSet.from_cuts([us(tmp_path, 0.3, "a"), us(tmp_path, 0.5, "b", "ussy")])
    one, two = (align_cuts(cuts, jobs=jobs) for jobs in (1, 2))
    assert list(one.cuts) == list(two.cuts)
    assert (one.outcomes, one.guessed_words) == (two.outcomes, two.guessed_words)


def test_each_supervision_is_aligned_in_its_own_part(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.3), spoken_us(0.5)])
    cut = align_cut(cut_of(tmp_path, "two", waveform, [(0.0, 1.0, "us", "en"), (1.0, 1.2, "us", None)])).cut
    first, second = items(cut, "word")
    assert first[1] == pytest.approx(0.3, abs=0.03)
    assert second[1] == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(
    ("text", "language", "outcome"),
    [
        ("", "en", Outcome.NO_TRANSCRIPT),
        ("...", "en", Outcome.NO_TRANSCRIPT),
        ("uns", "de", Outcome.NOT_ENGLISH),
        ("日本", None, Outcome.NOT_ENGLISH),
        ("incomprehensibilities " * 20, "en", Outcome.NOT_ALIGNABLE),
    ],
)
def test_what_cannot_be_aligned_is_kept_and_counted(
    tmp_path: Path, text: str, language: str | None, outcome: Outcome
) -> None:
    cut = us(tmp_path, text=text, language=language)
    aligned = align_cut(cut)
    assert aligned.outcomes == (outcome,)
    assert aligned.cut == cut
    # The aligner is fit for use after it.
    assert align_cut(us(tmp_path, name="next")).outcomes == (Outcome.ALIGNED,)


def test_a_clip_shorter_than_a_frame_is_counted(tmp_path: Path) -> None:
    short = cut_of(tmp_path, "short", np.zeros(40, np.float32), [(0.0, 40 / RATE, "us", "en")])
    without = cut_of(tmp_path, "without", spoken_us(0.2), [])
    counts = align_cuts(CutSet.from_cuts([short, without])).outcomes
    assert counts == {Outcome.NOT_ALIGNABLE: 1, Outcome.NO_TRANSCRIPT: 1}


def test_numbers_are_said_and_pronunciations_are_not_shown(tmp_path: Path) -> None:
    waveform = np.concatenate([spoken_us(0.2)] * 3)
    cut = cut_of(tmp_path, "numbers", waveform, [(0.0, len(waveform) / RATE, "2 want A us", "en-GB")])
    assert [symbol for symbol, _, _ in items(align_cut(cut).cut, "word")] == ["two", "want", "a", "us"]


def test_alignments_are_stored_with_the_manifest(tmp_path: Path) -> None:
    cuts = align_cuts(CutSet.from_cuts([us(tmp_path)])).cuts
    write_cuts(cuts, tmp_path / "aligned.jsonl.gz")
    assert items(next(iter(read_cuts(tmp_path / "aligned.jsonl.gz"))), "phone") == items(next(iter(cuts)), "phone")


def test_mixed_cuts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recording in one file"):
        align_cut(us(tmp_path).pad(2.0))


def test_a_missing_package_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alignment._decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(DataError, match=r"pip install 'sprachbund\[alignment\]'"):
        align_cuts(CutSet.from_cuts([us(tmp_path)]))
