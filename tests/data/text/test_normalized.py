from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.data.text.blocks import transform_lines
from sprachbund.data.text.lines import Line
from sprachbund.data.text.normalized import HELD_OUT, NO_WORD, NormalizedText, spoken_form
from sprachbund.errors import DataError
from sprachbund.tokens.normalize import normalize_text


def write_said(folder: Path, *texts: str) -> Path:
    """A manifest whose first cut says all these texts, one after another."""
    cut = next(iter(tiny.make_cuts(folder, 1)))
    [said] = cut.supervisions
    parts = [fastcopy(said, id=f"part-{number}", text=text) for number, text in enumerate(texts)]
    write_cuts(CutSet.from_cuts([fastcopy(cut, supervisions=parts)]), folder / "said.jsonl.gz")
    return folder / "said.jsonl.gz"


def answers(work: NormalizedText, *texts: str) -> list[object]:
    found = work.start()([Line(number, text) for number, text in enumerate(texts)])
    return [getattr(answer, "reason", None) or answer["text"] for answer in found]  # type: ignore[index]  # fields


def test_lines_become_what_is_said() -> None:
    work = NormalizedText.without(())
    assert answers(work, "It is 12 °, isn't it?", "...", "", "7") == [
        "it is twelve isn't it",
        NO_WORD,
        NO_WORD,
        "seven",
    ]


def test_what_held_out_speech_says_is_left_out_in_any_spelling(tmp_path: Path) -> None:
    work = NormalizedText.without([write_said(tmp_path, "The café has 12 tables.", "Yes!")])
    held_out = ("the CAFE has twelve tables", "The café has 12 tables", "yes", "The cafe has 12 tables, yes?")
    assert answers(work, *held_out) == [HELD_OUT] * 4
    assert answers(work, "the café has tables", "yes yes") == ["the café has tables", "yes yes"]


def test_settings_tell_texts_apart_and_not_places(tmp_path: Path) -> None:
    one, same, other = (
        NormalizedText.without([write_said(tmp_path / name, *texts)])
        for name, texts in {"a": ("Yes.",), "b": ("yes",), "c": ("No.",)}.items()
    )
    assert one.settings() == same.settings() != other.settings()
    assert hash(one) != hash(same)  # another manifest is read


def test_a_text_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    text = tiny.write_text(tmp_path / "text", ["yes", "YES!"])
    work = NormalizedText.without([write_said(tmp_path / "speech", "Yes")])
    with pytest.raises(DataError, match=f"no line of text is left.*2 of 2: {HELD_OUT}"):
        transform_lines(text, work, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.text(max_size=30))
def test_the_spoken_form_is_normalised_and_stays(text: str) -> None:
    form = spoken_form(text)
    assert normalize_text(form) == form
    assert spoken_form(form) == form
