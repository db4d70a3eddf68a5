import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from line_work import MODEL, write_units
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.data.text.writer import new_store
from sprachbund.errors import DataError, SprachbundError, VocabularyError
from sprachbund.tokens.vocabulary import Vocabulary

LINES = [([3, 0, 5], "añ"), ([], ""), ([1], "b c")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_units(tmp_path / "store", LINES)


@given(
    lines=st.lists(
        st.tuples(st.lists(st.integers(0, 70_000), max_size=9), st.text(st.characters(codec="utf-8"), max_size=9)),
        max_size=12,
    ),
    size=st.sampled_from([70_001, 1 << 31]),
)
@settings(deadline=None, max_examples=40)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[list[int], str]], size: int
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    store = LineStore(write_units(folder / "store", lines, size=size, is_reduced=True))
    assert len(store) == len(lines)
    assert store.fields == {"units": IdsField(size=size, fingerprint=MODEL, is_reduced=True), "text": TextField()}
    assert [store.tokens("units", number).tolist() for number in range(len(lines))] == [ids for ids, _ in lines]
    assert [store.text("text", number) for number in range(len(lines))] == [text for _, text in lines]
    assert store.lengths("units").tolist() == [len(ids) for ids, _ in lines]
    some = np.array([number for number in (2, 0) if number < len(lines)], dtype=np.int64)
    assert store.lengths("text", some).tolist() == [len(lines[number][1].encode()) for number in some]
    assert store.num_items("units") == sum(len(ids) for ids, _ in lines)
    shutil.rmtree(folder)


def test_ids_read_as_text_are_numbers_or_their_symbols(tmp_path: Path, folder: Path) -> None:
    assert LineStore(folder).text("units", 0) == "3 0 5"
    symbols = IdsField.of_symbols(Vocabulary(["HH", "AH"]))
    with new_store(tmp_path / "phones", {"phones": symbols}) as writer:
        writer.add({"phones": [4, 5, 3]})
    store = LineStore(tmp_path / "phones")
    assert store.text("phones", 0) == "HH AH <unk>"
    assert store.ids_field("phones") == symbols
    assert store.text_fields() == set()
    assert LineStore(folder).text_fields() == {"text"}


def test_a_store_moves_and_is_sent_as_a_place(tmp_path: Path, folder: Path) -> None:
    before = LineStore(folder).fingerprint
    folder.rename(tmp_path / "elsewhere")
    moved = LineStore(tmp_path / "elsewhere")
    assert moved.fingerprint == before
    assert is_store(tmp_path / "elsewhere")
    assert not is_store(folder)
    sent = pickle.dumps(moved)
    assert len(sent) < 500
    assert pickle.loads(sent).text("text", 0) == "añ"


def test_fingerprints_tell_other_content_apart(tmp_path: Path, folder: Path) -> None:
    same = write_units(tmp_path / "same", LINES)
    other = write_units(tmp_path / "other", [([3, 0, 4], "añ"), *LINES[1:]])
    assert LineStore(same).fingerprint == LineStore(folder).fingerprint != LineStore(other).fingerprint


def test_fields_that_are_not_there_or_made_by_others_are_refused(folder: Path) -> None:
    store = LineStore(folder)
    with pytest.raises(DataError, match=r"no such field .*\(given: phones\)\. Its fields are: units, text\."):
        store.lengths("phones")
    with pytest.raises(DataError, match="holds text, not ids"):
        store.tokens("text", 0)
    assert store.ids_field("units", MODEL).size == 6
    with pytest.raises(VocabularyError, match=r"made by something else .* expected another"):
        store.ids_field("units", "another")


def change(name: str, edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(edit((folder / name).read_bytes()))

    return damage


def described(**changes: Any) -> Callable[[Path], None]:
    return change("store.json", lambda content: json.dumps({**json.loads(content), **changes}).encode())


def fields(**changes: Any) -> Callable[[Path], None]:
    def edit(content: bytes) -> bytes:
        plain = json.loads(content)
        plain["fields"]["units"] |= changes
        return json.dumps(plain).encode()

    return change("store.json", edit)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda folder: (folder / "store.json").unlink(), "no line store", id="no description"),
        pytest.param(lambda folder: (folder / "units.items").unlink(), "lacks a file", id="no items"),
        pytest.param(lambda folder: (folder / "text.ends").unlink(), "lacks a file", id="no ends"),
        pytest.param(change("units.items", lambda old: old[:-1]), "cut short", id="fewer items"),
        pytest.param(change("units.items", lambda old: old + b"\0"), "cut short", id="more items"),
        pytest.param(change("text.ends", lambda old: old[:-8]), "cut short", id="fewer ends"),
        pytest.param(change("text.ends", lambda old: old[:-3]), "cut short", id="half an end"),
        pytest.param(change("text.ends", lambda old: b""), "cut short", id="no end at all"),
        pytest.param(change("store.json", lambda old: old[:-5]), "description .* damaged", id="half a description"),
        pytest.param(change("store.json", lambda old: b"\xff" + old), "description .* damaged", id="not UTF-8"),
        pytest.param(change("store.json", lambda old: b"[" * 99_999), "description .* damaged", id="deep"),
        pytest.param(change("store.json", lambda old: b"[]"), "of this version", id="a list"),
        pytest.param(described(format=2), "of this version", id="another version"),
        pytest.param(described(lines=4), "cut short", id="more lines"),
        pytest.param(described(lines="3"), "of this version", id="lines as words"),
        pytest.param(described(lines=-1), "of this version", id="lines below none"),
        pytest.param(described(fields={"../text": {"form": "text"}}), "of this version", id="a path as field"),
        pytest.param(described(fields={}), "of this version", id="no field"),
        pytest.param(described(fields={"text": 3}), "not described", id="a field that is none"),
        pytest.param(described(digests=None), "of this version", id="no digests"),
        pytest.param(fields(size=-3), "not described", id="a size below none"),
        pytest.param(fields(vocabulary="x"), "not described", id="a vocabulary that is not there"),
        pytest.param(fields(size=300), "cut short", id="another size"),
    ],
)
def test_damaged_stores_are_refused_in_a_sentence(folder: Path, damage: Callable[[Path], None], told: str) -> None:
    damage(folder)
    with pytest.raises(DataError, match=told):
        LineStore(folder)


def test_damage_inside_is_told_with_its_line(folder: Path) -> None:
    change("units.items", lambda old: b"\x09" + old[1:])(folder)
    with pytest.raises(DataError, match=r"field units, line 1 \(given: 9, the field has 6\)"):
        LineStore(folder).tokens("units", 0)
    change("text.items", lambda old: b"\xff" + old[1:])(folder)
    with pytest.raises(DataError, match=r"not UTF-8 .*field text, line 1"):
        LineStore(folder).text("text", 0)
    change("text.ends", lambda old: np.array([9, 2, 6], dtype="<i8").tobytes())(folder)
    with pytest.raises(DataError, match="ends before it begins"):
        LineStore(folder).text("text", 1)
    with pytest.raises(DataError, match="ends before it begins"):
        LineStore(folder).lengths("text")


@given(place=st.integers(0, 2_000), value=st.integers(0, 255), length=st.integers(0, 2_000) | st.none(), data=st.data())
@settings(deadline=None, max_examples=80)
def test_no_damage_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, length: int | None, data: st.DataObject
) -> None:
    folder = write_units(tmp_path_factory.mktemp("stores") / "store", LINES)
    path = folder / data.draw(st.sampled_from(["store.json", "units.items", "units.ends", "text.items", "text.ends"]))
    content = bytearray(path.read_bytes())
    content[place % len(content)] = value
    path.write_bytes(bytes(content[:length]))
    try:
        store = LineStore(folder)
        for name, number in ((name, number) for name in store.fields for number in range(len(store))):
            store.text(name, number)
    except SprachbundError:
        pass
    shutil.rmtree(folder.parent)
