"""Texts of the SWORD Bible software (driver zText): compressed blocks, and an index of verses in canonical order.

The index counts verses of a system that the module names, but whose tables it does not hold. They are not needed: the
entry in front of a chapter's first verse marks the chapter, so a verse's number is its distance from there.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sprachbund.errors import CorpusError

TESTAMENTS = ("ot", "nt")

_BLOCK = struct.Struct("<III")  # offset, packed size, unpacked size
_VERSE = struct.Struct("<IIH")  # block, start, length
_CHAPTER = re.compile(r'<chapter [^>]*\bosisID="([0-9A-Za-z]+)\.(\d+)"[^>]*\bsID=')
_BOOK = re.compile(r'<div [^>]*\bsID="[^"]*"[^>]*\btype="book"')
_ASIDE = re.compile(r"<(note|title)\b(?:[^>]*[^>/])?>.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_SPACE_BEFORE = re.compile(" (?=[,.;:?!\u2019\u201d)])")
_MEND = "The module is damaged; fetch the package again."


@dataclass(frozen=True)
class Verse:
    """A verse by its book (an abbreviation of OSIS, such as ``Gen`` or ``1Sam``), chapter and number."""

    book: str
    chapter: int
    number: int
    text: str

    @property
    def place(self) -> tuple[str, int, int]:
        """What is the same in all translations that count verses in the same way."""
        return self.book, self.chapter, self.number


def read_verses(module: Path) -> list[Verse]:
    """The verses of a module's folder that have a text, in canonical order; introductions and headings are left out.

    Raises:
        CorpusError: a file is missing, cut short or damaged.
    """
    return [verse for testament in TESTAMENTS for verse in _number_verses(read_entries(module / testament))]


def read_entries(path: Path) -> list[str]:
    """The entries of a testament, as they are marked up.

    Args:
        path: of its files, without their suffixes.

    Raises:
        CorpusError: a file is missing, cut short or damaged.
    """
    blocks, packed, verses = (_read(path.with_suffix(suffix)) for suffix in (".bzs", ".bzz", ".bzv"))
    if len(blocks) % _BLOCK.size or len(verses) % _VERSE.size:
        raise CorpusError("the index of a module is cut short", where=path, mend=_MEND)
    texts = [_unpack(packed[offset : offset + size], full, path) for offset, size, full in _BLOCK.iter_unpack(blocks)]
    entries = []
    for block, start, length in _VERSE.iter_unpack(verses):
        if length and (block >= len(texts) or start + length > len(texts[block])):
            raise CorpusError("the index of a module is damaged", where=path, given=f"block {block}", mend=_MEND)
        entries.append(texts[block][start : start + length].decode("utf-8", "replace") if length else "")
    return entries


def clean_verse(markup: str) -> str:
    """What a verse says: without notes, titles and tags."""
    text = _TAG.sub("", _ASIDE.sub(" ", markup))
    return _SPACE_BEFORE.sub("", " ".join(text.split()))


def _number_verses(entries: list[str]) -> Iterator[Verse]:
    chapter: tuple[str, int] | None = None
    first = 0
    for position, markup in enumerate(entries):
        marks = _CHAPTER.findall(markup)
        if marks:
            chapter, first = (marks[-1][0], int(marks[-1][1])), position
        elif _BOOK.search(markup):
            chapter = None
        elif chapter is not None and (text := clean_verse(markup)):
            yield Verse(*chapter, position - first, text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError("a file of a module cannot be read", where=path, given=error.strerror, mend=_MEND) from None


def _unpack(packed: bytes, size: int, path: Path) -> bytes:
    decompressor = zlib.decompressobj()
    try:
        # One byte more than there should be, so that the checksum at the end is read as well.
        text = decompressor.decompress(packed, size + 1)
    except zlib.error as error:
        raise CorpusError("a block of a module is damaged", where=path, given=error, mend=_MEND) from None
    if len(text) != size or not decompressor.eof:
        raise CorpusError("a block of a module has another size", where=path, mend=_MEND)
    return text
