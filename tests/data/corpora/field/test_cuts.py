from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.field import cuts as module
from sprachbund.data.corpora.field.cuts import make_cuts, reference_text
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.records import EMPTY, MISSING, OUTSIDE, REPEATED, SHORTENED, Split, Utterance
from sprachbund.errors import DataError
from sprachbund.signal.audio import AudioInfo


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """A recording of one second."""
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    return tmp_path / "a.wav"


def made(*utterances: Utterance, problems: dict[str, list[str]] | None = None) -> Any:
    return make_cuts(Split(list(utterances), problems or {}), Inventory("tiny"))


def test_each_kind_of_problem_is_counted_once(second: Path, tmp_path: Path) -> None:
    found = made(
        Utterance("z", second, "en", "Five, please"),
        Utterance("a", second, "en", "5"),
        Utterance("a", second, "en", "again"),
        Utterance("empty", second, "en", " - "),
        Utterance("gone", tmp_path / "gone.wav", "en", "x"),
        Utterance("after", second, "en", "x", start=1.0, duration=0.5),
        Utterance("before", second, "en", "x", start=-0.1, duration=0.5),
        Utterance("nothing", second, "en", "x", start=0.1, duration=0.0),
        Utterance("no number", second, "en", "x", start=float("nan"), duration=0.5),
        Utterance("long", second, "en", "x", start=0.5, duration=9.0),
        Utterance("rounded", second, "en", "x", start=0.5, duration=0.504),
        problems={MISSING: ["first"]},
    )
    assert [cut.id for cut in found.cuts] == ["a", "long", "rounded", "z"]
    assert [cut.duration for cut in found.cuts] == [1.0, 0.5, 0.5, 1.0]
    assert found.problems == {
        MISSING: ["first", "gone"],
        REPEATED: ["a"],
        EMPTY: ["empty"],
        OUTSIDE: ["after", "before", "nothing", "no number"],
        SHORTENED: ["long"],
    }
    assert found.texts == {"five please", "five", "x"}
    assert found.count() == {"cuts": 4, "minutes": 0.05, "words": 5, "speakers": 0}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-1, 3), st.floats(-1, 3)), max_size=8))
def test_every_utterance_is_a_cut_or_a_problem_and_no_cut_leaves_its_recording(
    drawn: list[tuple[str, float, float]],
) -> None:
    inventory = Inventory("tiny")
    inventory.infos[Path("a.wav")] = AudioInfo(8000, 1, 8000)
    split = Split([Utterance(name, Path("a.wav"), "en", start=a, duration=b, speaker="s") for name, a, b in drawn])
    found = make_cuts(split, inventory)
    lost = [name for kind, names in found.problems.items() if kind != SHORTENED for name in names]
    assert len(found.cuts) + len(lost) == len(drawn)
    for cut in found.cuts:
        assert cut.start >= 0
        assert cut.duration > 0
        assert cut.start + cut.duration <= 1.0 + 1e-6
        assert cut.supervisions[0].duration == cut.duration
        assert cut.recording.id == "a"


def test_noise_has_no_supervision_and_speech_one(second: Path) -> None:
    noise, speaker, text = (
        made(said).cuts[0]
        for said in (
            Utterance("a", second),
            Utterance("a", second, speaker="s"),
            Utterance("a", second, "en", "A  b\n", gender="f", custom={"k": 1}),
        )
    )
    assert (noise.supervisions, noise.custom) == ([], None)
    assert (speaker.supervisions[0].text, speaker.supervisions[0].speaker) == (None, "s")
    assert text.custom == {"k": 1, "raw_text": "A b"}
    assert (text.supervisions[0].text, text.supervisions[0].gender) == ("a b", "f")


def test_all_channels_of_a_recording_are_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((800, 2)), 8000)
    cut = made(Utterance("a", tmp_path / "a.wav")).cuts[0]
    assert (cut.recording.sources[0].channels, cut.channel) == ([0, 1], 0)


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("It's 21!", "en", "it's twenty one"),
        ("Il a 21 ans", "fr", "il a vingt et un ans"),
        ("Klockan 3", "sv-SE", "klockan tre"),
        ("cafe\u0301", "fr", "café"),  # composed, because a mark by itself is no letter
        ("3 o'r gloch", "xx", "3 o'r gloch"),  # the number speller does not know it
        ("3 words", None, "three words"),
        ("…", "en", ""),
    ],
)
def test_texts_are_as_a_recogniser_learns_them(text: str, language: str | None, said: str) -> None:
    assert reference_text(text, language) == said


def test_a_missing_number_speller_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(text: str, language: str = "en") -> str:
        raise DataError("the package is missing")

    module._spells.cache_clear()
    monkeypatch.setattr(module, "spell_numbers", missing)
    with pytest.raises(DataError, match="missing"):
        reference_text("3", "en")
    module._spells.cache_clear()
