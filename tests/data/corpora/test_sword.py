import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.sword import Verse, clean_verse, read_entries, read_verses
from sprachbund.errors import CorpusError

OLD = [
    "",
    "<milestone/>",
    '<div canonical="true" osisID="Gen" sID="g1" type="book"/> An introduction.',
    '<chapter n="1" osisID="Gen.1" sID="Gen.1"/>',
    "In the<note n='a'>a note</note>beginning , <w lemma=\"x\">God</w>.",
    "",
    "Third",
    '<div sID="g3" type="x-p"/><chapter n="2" osisID="Gen.2" sID="Gen.2"/><title>A heading</title>',
    "First of two",
    '<div canonical="true" osisID="Exod" sID="g9" type="book"/>An introduction.',
    '<chapter n="1" osisID="Exod.1" sID="Exod.1"/>',
    "Exodus",
]
VERSES = [
    Verse("Gen", 1, 1, "In the beginning, God."),
    Verse("Gen", 1, 3, "Third"),
    Verse("Gen", 2, 1, "First of two"),
    Verse("Exod", 1, 1, "Exodus"),
]


@pytest.fixture
def module(tmp_path: Path, write_module: Callable[..., None]) -> Path:
    write_module(tmp_path / "ot", OLD)
    write_module(tmp_path / "nt", ['<chapter osisID="1John.1" sID="1John.1"/>', "New"])
    return tmp_path


def test_verses_are_numbered_from_their_chapter(module: Path) -> None:
    assert read_verses(module) == [*VERSES, Verse("1John", 1, 1, "New")]
    assert VERSES[1].place == ("Gen", 1, 3)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ('God<note placement="foot"><w>x</w></note>created', "God created"),
        ("<title>On <w>it</w></title>He came<note/> in .", "He came in."),
        ("(  “so ” ) ?", "( “so”)?"),
        ("one\n\n two", "one two"),
        ("<note>only</note>", ""),
    ],
)
def test_markup_is_taken_off(markup: str, text: str) -> None:
    assert clean_verse(markup) == text


@given(st.lists(st.text("aé<>/ ", max_size=9), max_size=30), st.integers(1, 5))
def test_entries_come_back_as_they_were(tmp_path_factory, write_module, entries: Sequence[str], a_block: int) -> None:
    path = tmp_path_factory.mktemp("module") / "ot"
    write_module(path, entries, a_block)
    assert read_entries(path) == list(entries)


def test_damaged_modules_are_told(module: Path) -> None:
    whole = {path.name: path.read_bytes() for path in module.iterdir()}
    for name, content in whole.items():
        damages = [content[:-1], None]
        if name.endswith("bzz"):
            damages += [b"\xff" * len(content), b""]
        if name.endswith("bzv"):
            damages += [struct.pack("<IIH", 99, 0, 5), struct.pack("<IIH", 0, 9999, 5)]
        if name.endswith("bzs"):
            damages += [b"", content[:8] + struct.pack("<I", 7) + content[12:]]
        for damage in damages:
            (module / name).unlink(missing_ok=True)
            if damage is not None:
                (module / name).write_bytes(damage)
            with pytest.raises(CorpusError, match="module"):
                read_verses(module)
        (module / name).write_bytes(content)
    assert len(read_verses(module)) == 5


def test_a_block_is_unpacked_no_further_than_its_size(module: Path) -> None:
    bomb = zlib.compress(bytes(10_000_000))
    (module / "ot.bzz").write_bytes(bomb)
    (module / "ot.bzs").write_bytes(struct.pack("<III", 0, len(bomb), 100))
    (module / "ot.bzv").write_bytes(struct.pack("<IIH", 0, 0, 100))
    with pytest.raises(CorpusError, match="another size"):
        read_entries(module / "ot")
