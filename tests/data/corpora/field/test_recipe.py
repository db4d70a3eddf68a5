import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from lhotse import Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.audio import get_current_audio_backend

from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.data.corpora.field.recipe import View, open_view, quiet, run_recipe
from sprachbund.errors import CorpusError


def recipe_of(fail: Exception | None = None) -> Callable[..., Any]:
    """A recipe in the manner of Lhotse: one recording a wav, a supervision for all but the last."""

    def recipe(folder: Path, *, end: str = ".wav") -> dict[str, Any]:
        logging.warning("a word to nobody")
        sys.stderr.write("a bar\n")
        if fail is not None:
            raise fail
        recordings = [Recording.from_file(path) for path in sorted(folder.rglob(f"*{end}"))]
        said = [SupervisionSegment(r.id, r.id, 0.0, r.duration, text="a") for r in recordings[:-1]]
        return {
            "recordings": RecordingSet.from_recordings(recordings),
            "supervisions": SupervisionSet.from_segments(said),
        }

    return recipe


@pytest.fixture
def wavs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "real" / f"{name}.wav" for name in "abc"]
    paths[0].parent.mkdir()
    for length, path in enumerate(paths, start=1):
        soundfile.write(path, np.zeros(800 * length), 8000)
    return paths


def test_a_recipe_sees_the_view_and_gives_real_paths(wavs: list[Path]) -> None:
    inventory = Inventory("tiny")
    inventory.look(wavs)
    with open_view(wavs[0].parent, {"x/a.wav": wavs[0], "c.wav": wavs[2], "note.txt": "é"}) as view:
        assert (view.folder / "note.txt").read_text("utf-8") == "é"
        pairs = run_recipe(recipe_of(), view, inventory)
        assert [(path, said and said.text, said and said.duration) for path, said in pairs] == [
            (wavs[0], None, None),
            (wavs[2], "a", pytest.approx(0.3)),
        ]
        assert view.real(view.folder / "note.txt") == view.folder / "note.txt"
    assert not view.folder.exists()
    assert all(path.is_file() for path in wavs)


def test_a_linked_folder_gives_real_paths(wavs: list[Path]) -> None:
    with open_view(wavs[0].parent, {"part": wavs[0].parent}) as view:
        pairs = run_recipe(lambda folder: recipe_of()(folder / "part"), view, Inventory("tiny"))
    assert [path for path, _ in pairs] == wavs


@given(
    inside=st.lists(st.sampled_from("abc"), min_size=1, max_size=3), below=st.lists(st.sampled_from("xy"), max_size=3)
)
def test_the_real_path_is_below_the_link(inside: list[str], below: list[str]) -> None:
    link, origin = Path("/view", *inside), Path("/real/place")
    view = View(Path("/view"), Path("/real"), {link: origin})
    assert view.real(link.joinpath(*below)) == origin.joinpath(*below)
    assert view.real(Path("/view/z")) == Path("/view/z")


def test_a_recording_that_cannot_be_read_does_not_end_a_recipe(wavs: list[Path]) -> None:
    wavs[1].write_bytes(b"")
    inventory = Inventory("tiny")
    inventory.look(wavs)
    pairs = run_recipe(recipe_of(), wavs[0].parent, inventory)
    assert [path for path, _ in pairs] == wavs
    assert wavs[1] not in inventory.infos


def test_silence_and_the_audio_backend_end_with_the_recipe(
    wavs: list[Path], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = (get_current_audio_backend(), logging.root.manager.disable, list(logging.root.handlers), sys.stderr)
    for recipe in (recipe_of(), recipe_of(StopIteration()), recipe_of(KeyError("x"))):
        try:
            run_recipe(recipe, wavs[0].parent, Inventory("tiny"))
        except CorpusError as error:
            assert str(wavs[0].parent) in str(error)
        assert (get_current_audio_backend(), logging.root.manager.disable) == before[:2]
        assert (list(logging.root.handlers), sys.stderr) == before[2:]
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


@pytest.mark.parametrize("error", [AssertionError("none left"), StopIteration(), ValueError("bad"), OSError("gone")])
def test_whatever_a_recipe_stumbles_over_is_one_sentence(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="Lhotse's recipe cannot make sense of the folder"):
        run_recipe(recipe_of(error), tmp_path, Inventory("tiny"))


def test_an_interrupt_passes_through_a_recipe(tmp_path: Path) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(interrupt, tmp_path, Inventory("tiny"))


def test_quiet_holds_back_no_errors() -> None:
    with pytest.raises(ValueError, match="loud"), quiet():
        raise ValueError("loud")


def test_an_error_names_the_real_folder(wavs: list[Path]) -> None:
    with (
        open_view(wavs[0].parent, {"a.wav": wavs[0]}) as view,
        pytest.raises(CorpusError, match=f"in {wavs[0].parent} "),
    ):
        run_recipe(recipe_of(ValueError()), view, Inventory("tiny"))
