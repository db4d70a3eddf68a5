from pathlib import Path

import pytest

import importing
from sprachbund.data.importers.utterances import Request, choose_splits, find_folders, find_lists
from sprachbund.errors import DataError


def request(source: Path, *splits: str) -> Request:
    return Request(source=str(source), out=Path("out"), splits=splits)


def test_splits_are_all_or_those_asked_for(tmp_path: Path) -> None:
    found = {"train": 1, "dev": 2}
    assert choose_splits(request(tmp_path), found) == ["train", "dev"]
    assert choose_splits(request(tmp_path, "dev"), found) == ["dev"]
    with pytest.raises(DataError, match=r"no such split .*\(given: tset\)\. There are: dev, train\."):
        choose_splits(request(tmp_path, "tset"), found)
    with pytest.raises(DataError, match="nothing of this format is there"):
        choose_splits(request(tmp_path), {})


def test_lists_are_found_by_their_endings(tmp_path: Path) -> None:
    importing.write_files(
        tmp_path, {"train.tsv": "", "dev.tsv": "", ".hidden.tsv": "", "dict.txt": "", "deep/x.tsv": ""}
    )
    assert find_lists(request(tmp_path), ".tsv") == {"dev": tmp_path / "dev.tsv", "train": tmp_path / "train.tsv"}
    assert find_lists(request(tmp_path / "train.tsv"), ".tsv") == {"train": tmp_path / "train.tsv"}
    # A file that was named is taken whatever its ending.
    assert find_lists(request(tmp_path / "dict.txt"), ".tsv") == {"dict": tmp_path / "dict.txt"}
    with pytest.raises(DataError, match="the source does not exist"):
        find_lists(request(tmp_path / "none"), ".tsv")


def test_folders_are_found_by_what_they_hold(tmp_path: Path) -> None:
    importing.write_files(tmp_path / "data", {"train/wav.scp": "", "dev/wav.scp": "", "local/readme": ""})
    found = find_folders(request(tmp_path / "data"), "wav.scp")
    assert found == {"dev": tmp_path / "data/dev", "train": tmp_path / "data/train"}
    assert find_folders(request(tmp_path / "data/dev"), "wav.scp") == {"dev": tmp_path / "data/dev"}
    with pytest.raises(DataError, match="no folder"):
        find_folders(request(tmp_path / "data/dev/wav.scp"), "wav.scp")
