from pathlib import Path

import pytest

from commands import fingerprints
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import new_store
from sprachbund.errors import DataError

FIELDS = {"units": IdsField(size=300, fingerprint="m"), "text": TextField()}


def write(folder: Path, lines: list[tuple[list[int], str]]) -> LineStore:
    with new_store(folder, FIELDS, {"made": "here"}) as store:
        for units, text in lines:
            store.add({"units": units, "text": text})
        assert len(store) == len(lines)
    return LineStore(folder)


def test_equal_lines_give_equal_bytes(tmp_path: Path) -> None:
    lines = [([1, 299], "a"), ([], "ä"), ([7], "")]
    write(tmp_path / "one", lines)
    write(tmp_path / "other", lines)
    assert fingerprints(tmp_path / "one") == fingerprints(tmp_path / "other")


def test_stores_are_appended_as_they_are(tmp_path: Path) -> None:
    lines = [([1, 299], "a"), ([], "ä"), ([7], ""), ([5], "b")]
    parts = [write(tmp_path / "one", lines[:3]), write(tmp_path / "none", []), write(tmp_path / "two", lines[3:])]
    write(tmp_path / "whole", lines)
    with new_store(tmp_path / "joined", FIELDS, {"made": "here"}) as store:
        for part in parts:
            store.add_all(part)
        assert len(store) == 4
    assert fingerprints(tmp_path / "joined") == fingerprints(tmp_path / "whole")


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), new_store(tmp_path / "store", FIELDS) as store:
        store.add({"units": [1], "text": "a"})
        raise KeyError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ids", [[300], [-1], [0, 1 << 40]], ids=str)
def test_ids_outside_of_their_field_are_refused(tmp_path: Path, ids: list[int]) -> None:
    with pytest.raises(DataError, match=r"outside of its field \(given: .* the field units has 300\)"):
        write(tmp_path / "store", [(ids, "")])
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written as UTF-8"):
        write(tmp_path / "store", [([], "\ud800")])


def test_a_folder_that_holds_something_stays(tmp_path: Path) -> None:
    write(tmp_path / "store", [([1], "a")])
    before = fingerprints(tmp_path)
    with pytest.raises(DataError, match="holds something already"):
        write(tmp_path / "store", [])
    assert fingerprints(tmp_path) == before


@pytest.mark.parametrize("name", ["", "Text", "a b", "../x", "a-b"])
def test_names_of_fields_are_words_of_small_letters(tmp_path: Path, name: str) -> None:
    with pytest.raises(AssertionError, match="small letters"), new_store(tmp_path / "store", {name: TextField()}):
        pass
