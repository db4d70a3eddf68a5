"""wesnoth: the texts of the game The Battle for Wesnoth in English and nine more languages, as parallel text."""

import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from sprachbund.data.corpora.layout import Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import WESNOTH, WESNOTH_LANGUAGES
from sprachbund.data.corpora.text_corpus import PairedText, Text, text_corpus
from sprachbund.errors import CorpusError

NAME = "wesnoth"
LICENCE = "GPL-2 or later"
ATTRIBUTION = "Texts of The Battle for Wesnoth: (C) David White and contributors."
SHORTEST = 3  # English words

_LOCALES = "usr/share/games/wesnoth/1.16/locale"
_HEADER = struct.Struct("<IIIII")  # magic, revision, number of texts, offsets of the two tables
_PLACE = struct.Struct("<II")  # length, offset
_MAGIC = 0x950412DE
_LONGEST_PREFIX = 40
_TAG = re.compile(r"<[^<>]*>")
# Places for names and numbers, commands and the like, which neither language says.
_TEMPLATE = re.compile(r"[$|{}%\\=<>]|&\w+;|://")


def read_catalogue(path: Path) -> list[tuple[str, str]]:
    """The translated texts of a gettext catalogue, without contexts; every plural form is a pair of its own.

    Raises:
        CorpusError: the catalogue cannot be read or is damaged.
    """
    try:
        content = path.read_bytes()
        magic, _, count, sources, targets = _HEADER.unpack_from(content)
        if magic != _MAGIC:
            raise ValueError("no catalogue of little-endian numbers")
        texts = [(_read_text(content, sources, k), _read_text(content, targets, k)) for k in range(count)]
    except (OSError, ValueError, struct.error) as error:
        raise CorpusError("a catalogue is damaged", where=path, given=error, mend=WESNOTH.mend) from None
    return [
        (_without_context(source.partition("\0")[0]), form)
        for source, target in texts
        if source
        for form in target.split("\0")
        if form
    ]


def _read_text(content: bytes, table: int, number: int) -> str:
    length, offset = _PLACE.unpack_from(content, table + _PLACE.size * number)
    if offset + length > len(content):
        raise ValueError(f"text {number} leads beyond the end")
    return content[offset : offset + length].decode("utf-8")


def _without_context(source: str) -> str:
    source = source.rpartition("\x04")[2]
    place = source.find("^")
    return source[place + 1 :] if 0 <= place < _LONGEST_PREFIX else source


def read_pairs(locale: Path) -> list[tuple[str, str]]:
    """English and translation of all catalogues of a language that are long enough and differ, as written.

    Raises:
        CorpusError: a catalogue is damaged.
    """
    pairs = [pair for path in sorted(locale.rglob("wesnoth*.mo")) for pair in read_catalogue(path)]
    return [pair for pair in pairs if len(pair[0].split()) >= SHORTEST and pair[0] != pair[1]]


def clean_pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Pairs without tags and line breaks; those with places for names or numbers are left out, and repeated ones."""
    seen = set()
    for pair in pairs:
        english, translation = (" ".join(_TAG.sub(" ", text).split()) for text in pair)
        if _TEMPLATE.search(english) or _TEMPLATE.search(translation) or (english, translation) in seen:
            continue
        seen.add((english, translation))
        if english and translation:
            yield english, translation


def read(source: Path | None) -> Text:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([WESNOTH], source)[WESNOTH.name]
    paired = [
        PairedText("train", ("en", language), list(clean_pairs(read_pairs(unpacked / _LOCALES / language))))
        for language in WESNOTH_LANGUAGES
    ]
    english = list(dict.fromkeys(pair[0] for part in paired for pair in part.pairs))
    origin = Origin(NAME, ("en", *WESNOTH_LANGUAGES), LICENCE, ATTRIBUTION, ((WESNOTH, unpacked),), ("copyright",))
    return Text(origin, english, paired, {"texts": len(english)})


CORPUS = text_corpus(
    read,
    name=NAME,
    languages=("en", *WESNOTH_LANGUAGES),
    licence=LICENCE,
    description="Texts of a game in English and nine languages, as parallel text for training",
)
