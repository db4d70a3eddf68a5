import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.experiments.resumable import Stage

CHOICES = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(st.none() | st.integers(0, 3) | st.text("xy", max_size=2), lambda inner: st.lists(inner, max_size=2)),
    max_size=3,
)


def stage(folder: Path, made_of: dict[str, Any] | None = None) -> tuple[Stage, list[str]]:
    said: list[str] = []
    return Stage(folder / "work" / "units.stage.json", {"seed": 1} if made_of is None else made_of, said.append), said


def test_what_is_finished_is_told_and_skipped(tmp_path: Path) -> None:
    one, said = stage(tmp_path)
    assert not one.is_done(lambda: "result")
    one.finish("result")
    assert one.is_done(lambda: "result")
    assert said == ["work, units: begins", "work, units: already there"]


def test_another_or_a_lost_result_is_made_again(tmp_path: Path) -> None:
    def lost() -> str:
        raise FileNotFoundError("units.json")

    def damaged() -> str:
        raise VocabularyError("phone labels are damaged")

    one, said = stage(tmp_path)
    one.finish("result")
    assert not any(one.is_done(found) for found in (lambda: "other", lost, damaged))
    assert all(sentence.endswith("was changed, and is made again") for sentence in said)


@given(before=CHOICES, now=CHOICES)
def test_only_the_same_choices_go_on(before: dict[str, Any], now: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage(Path(folder), before)[0].finish("result")
        # Tuples are lists when they come back.
        again, _ = stage(Path(folder), {key: tuple(v) if isinstance(v, list) else v for key, v in now.items()})
        missing_is_null = {key: value for key, value in now.items() if value is not None}
        if missing_is_null == {key: value for key, value in before.items() if value is not None}:
            assert again.is_done(lambda: "result")
        else:
            with pytest.raises(RecipeError, match="work of other choices"):
                again.is_done(lambda: "result")


@pytest.mark.parametrize("note", [b"", b"{", b"[1]", b'{"made_of": 3, "result": 1}', b"\xff", b'{"made_of": {}}'])
def test_a_damaged_note_means_that_it_is_made_again(tmp_path: Path, note: bytes) -> None:
    one, _ = stage(tmp_path)
    one.note.parent.mkdir()
    one.note.write_bytes(note)
    assert not one.is_done(lambda: "result")


def test_the_differences_are_named(tmp_path: Path) -> None:
    stage(tmp_path, {"seed": 1, "units": 5, "same": [1]})[0].finish("x")
    with pytest.raises(RecipeError, match="different: frames, units"):
        stage(tmp_path, {"seed": 1, "units": 6, "same": [1], "frames": "mfcc"})[0].is_done(lambda: "x")
    assert json.loads((tmp_path / "work" / "units.stage.json").read_text("utf-8"))["result"] == "x"
