"""Beneath a Steel Sky's texts: a prefix code over bit strings, and a table of characters for every language."""

import json
import re
import struct
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from sprachbund.errors import CorpusError

# Slots of the text files. English stands twice: British first, American fourth.
LANGUAGE_SLOTS = ("en-GB", "de", "fr", "en-US", "sv", "it", "pt", "es")
TRANSLATIONS = ("de", "fr", "sv", "it", "pt", "es")
_TEXT_IDS = 60_600

_LONGEST_WORD = 16  # bits of the longest word of the prefix code
_BLOCK = 32  # texts that share an entry of the block table
_TOKEN = re.compile(r"[^\W\d_]+")
_MEND = "The file is damaged; fetch the package again."


def text_file_id(slot: int, section: int) -> int:
    """The archive's id of the texts of a section in a language slot."""
    return _TEXT_IDS + 8 * slot + section


@cache
def read_table(name: str) -> Any:
    """A JSON table that the package carries for this corpus."""
    return json.loads(resources.files(__package__).joinpath(f"steel_sky_{name}.json").read_text("utf-8"))


@cache
def prefix_code() -> Mapping[str, int]:
    """Bit string -> byte value; complete (every bit sequence decodes), the same for all languages."""
    code: dict[str, int] = read_table("prefix_code")
    return code


@cache
def _decoding_table() -> tuple[tuple[int, int], ...]:
    """Indexed by the next 16 bits: the byte value, and the bits it takes."""
    table = [(0, 0)] * (1 << _LONGEST_WORD)
    for bits, value in prefix_code().items():
        free = _LONGEST_WORD - len(bits)
        first = int(bits, 2) << free
        table[first : first + (1 << free)] = [(value, len(bits))] * (1 << free)
    return tuple(table)


class TextFile:
    """The texts of one section in one language.

    Args:
        content: the bytes of the file, all words little-endian: the starts of the length table and of the bits; the
            sizes of blocks of 32 texts; a length for every text; the bits. Sizes and lengths count units of 2 bits.
        where: the place that errors name.

    Raises:
        CorpusError: the tables contradict each other.
    """

    def __init__(self, content: bytes, *, where: str) -> None:
        self._where = where
        lengths_start, bits_start = struct.unpack_from("<HH", content.ljust(4, b"\0"))
        num_blocks = (lengths_start - 4) // 2
        num_texts = bits_start - lengths_start
        if not (4 <= lengths_start <= bits_start <= len(content) and num_texts <= _BLOCK * (num_blocks + 1)):
            raise CorpusError("the tables of a text file are damaged", where=where, mend=_MEND)
        self._blocks = struct.unpack_from(f"<{num_blocks}H", content, 4)
        self._lengths = content[lengths_start:bits_start]
        self._bits = content[bits_start:]

    def __len__(self) -> int:
        return len(self._lengths)

    def read(self, index: int) -> bytes:
        """The bytes of a text, each a character of its language; the check is that it fills its length.

        Raises:
            CorpusError: there is no such text, or it does not end where its length says.
        """
        if not 0 <= index < len(self):
            raise CorpusError("a text file lacks a text", where=self._where, given=f"text {index}", mend=_MEND)
        block = index // _BLOCK
        start = sum(self._blocks[:block]) + sum(map(_units, self._lengths[block * _BLOCK : index]))
        stop = start + _units(self._lengths[index])
        # A unit is two bits, so a byte holds four.
        if stop > 4 * len(self._bits):
            raise CorpusError("a text file is cut short", where=self._where, given=f"text {index}", mend=_MEND)
        window = int.from_bytes(self._bits[start // 4 : stop // 4 + 1].ljust(stop // 4 + 1 - start // 4, b"\0"), "big")
        num_bits = 8 * (stop // 4 + 1 - start // 4)
        text, used = _decode(window, num_bits, 2 * (start % 4))
        unused = stop - start - (used - 2 * (start % 4) + 1) // 2
        if text is None or not 0 <= unused <= (7 if self._lengths[index] & 0x80 else 0):
            raise CorpusError(
                "a text does not end where its length says", where=self._where, given=f"text {index}", mend=_MEND
            )
        return text


def _units(length: int) -> int:
    """Units of 2 bits that an entry of the length table stands for."""
    return (length & 0x7F) * 8 if length & 0x80 else length


def _decode(window: int, num_bits: int, position: int) -> tuple[bytes | None, int]:
    """Decode from a bit position until the byte 0; the text (None without an end) and the position behind it."""
    table = _decoding_table()
    # Zeros behind the end let the last words be looked up with 16 bits.
    window <<= _LONGEST_WORD
    text = bytearray()
    while position < num_bits:
        value, width = table[window >> (num_bits - position) & 0xFFFF]
        position += width
        if value == 0:
            return bytes(text), position
        text.append(value)
    return None, position


@cache
def _characters(language: str) -> Mapping[int, str]:
    """Byte value -> character; both kinds of English share a table."""
    tables: dict[str, dict[str, str]] = read_table("characters")
    return {int(value): character for value, character in tables[language.partition("-")[0]].items()}


def to_unicode(text: bytes, language: str) -> str:
    """Translate the bytes of a text into characters; a byte without a meaning becomes U+FFFD."""
    characters = _characters(language)
    return "".join(characters.get(value, "\N{REPLACEMENT CHARACTER}") for value in text)


def restore_capital_acute(text: str) -> str:
    """Portuguese writes í and Í with one byte, read as í: make it a capital where all other letters of a word are."""
    return _TOKEN.sub(_capital_acute, text)


def _capital_acute(token: re.Match[str]) -> str:
    return token[0].upper() if token[0].replace("í", "").isupper() else token[0]
