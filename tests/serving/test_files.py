from pathlib import Path

import pytest

from sprachbund.errors import AudioError
from sprachbund.serving.files import list_recordings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.WAV", "a.flac", "notes.txt", "deep/er/c.Ogg", "deep/.hidden", "d.wav/e.mp3", "f.wav.part"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return tmp_path / "in"


def test_recordings_of_a_folder_are_sorted_and_nothing_else_is_taken(folder: Path):
    names = [path.relative_to(folder).as_posix() for path in list_recordings([folder])]
    assert names == ["a.flac", "b.WAV", "d.wav/e.mp3", "deep/er/c.Ogg"]


def test_named_files_are_taken_as_they_are_in_the_order_given(folder: Path):
    asked = [folder / "notes.txt", folder / "b.WAV", folder / "deep", folder / "a.flac", folder / "b.WAV"]
    found = list_recordings(asked)
    assert found == [asked[0], asked[1], folder / "deep/er/c.Ogg", asked[3], asked[1]]
    assert list_recordings([]) == []


def test_what_is_not_there_is_named(folder: Path):
    with pytest.raises(AudioError, match=r"no such file in .*missing.wav"):
        list_recordings([folder / "a.flac", folder / "missing.wav"])


def test_a_folder_without_recordings_is_named(folder: Path):
    (folder / "empty").mkdir()
    with pytest.raises(AudioError, match=r"holds no recording in .*empty.*Name the files"):
        list_recordings([folder, folder / "empty"])
