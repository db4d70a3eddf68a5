"""The lines of ARPA files: numbers and words by section, every fault told with its line."""

import gzip
import math
import re
import zlib
from array import array
from collections.abc import Iterator
from pathlib import Path

from sprachbund.errors import DataError
from sprachbund.files import is_file

LONGEST = 10  # words of an n-gram
_COUNT = re.compile(rb"ngram\s+(\d{1,3})\s*=\s*(\d{1,18})")
_SECTION = re.compile(rb"\\(\d{1,3})-grams:")
_LONGEST_LINE = 1 << 20  # bytes
_SHOWN = 60  # characters of a line in a message
_MEND = "Give an ARPA file as KenLM, SRILM or `sprachbund lm ngram` write it."


class Section:
    """The n-grams of one length, as they come; logarithms to base 10."""

    def __init__(self) -> None:
        self.ids = array("i")  # of all words, n-gram after n-gram
        self.log_probs = array("d")
        self.backoffs = array("d")
        self.lines = array("q")  # where each n-gram stands


class ArpaLines:
    """What one file says; its words have the ids of their places among the 1-grams.

    Args:
        path: an ARPA file, gzipped where its name ends in ``.gz``.

    Raises:
        DataError: the file is missing, damaged, or no ARPA file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: dict[bytes, int] = {}
        self.sections: list[Section] = []
        self._line = 0
        if not is_file(path):
            raise DataError("the language model does not exist", where=path, mend="Check the path.")
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
                self._read(iter(lambda: handle.readline(_LONGEST_LINE), b""))
        except (OSError, EOFError, zlib.error) as error:
            raise DataError("the language model cannot be read", where=path, given=error, mend=_MEND) from None

    def fault(self, what: str, given: object = None, *, mend: str = _MEND, line: int | None = None) -> DataError:
        """What is wrong with a line, usually the one that was read last."""
        return DataError(what, where=f"{self.path}, line {line or self._line}", given=given, mend=mend)

    def _read(self, lines: Iterator[bytes]) -> None:
        counts = self._read_header(lines)
        for line in lines:
            self._line += 1
            stripped = line.strip()
            if stripped == b"\\end\\":
                self._check_counts(counts)
                return
            if section := _SECTION.fullmatch(stripped):
                self._begin(int(section[1]), counts)
            elif stripped:
                self._add(line)
        raise self.fault("the file ends before \\end\\", mend="Copy or write the file again: it is cut short.")

    def _read_header(self, lines: Iterator[bytes]) -> list[int]:
        """How many n-grams of each length the file says it has; the first section has begun then."""
        counts: list[int] = []
        has_begun = False
        for line in lines:
            self._line += 1
            stripped = line.strip()
            if not has_begun:
                has_begun = stripped == b"\\data\\"
            elif count := _COUNT.fullmatch(stripped):
                if int(count[1]) != len(counts) + 1 or len(counts) == LONGEST:
                    raise self.fault(f"lengths do not run from 1 to {LONGEST} at most", _shown(stripped))
                counts.append(int(count[2]))
            elif section := _SECTION.fullmatch(stripped):
                self._begin(int(section[1]), counts)
                return counts
            elif stripped:
                raise self.fault("a line of the header says no count", _shown(stripped))
        raise self.fault("the file has no n-grams" if has_begun else "the file has no \\data\\, so it is no ARPA file")

    def _begin(self, length: int, counts: list[int]) -> None:
        if length != len(self.sections) + 1 or length > len(counts):
            raise self.fault("sections are not in the order of the header", f"{length}-grams")
        self._check_counts(counts[: length - 1])
        self.sections.append(Section())

    def _check_counts(self, counts: list[int]) -> None:
        for length, count in enumerate(counts, start=1):
            found = len(self.sections[length - 1].lines) if length <= len(self.sections) else 0
            if found != count:
                given = f"{found}, the header says {count}"
                raise self.fault(f"the number of {length}-grams is not that of the header", given)

    def _add(self, line: bytes) -> None:
        length, section = len(self.sections), self.sections[-1]
        parts = line.split()
        if not length + 1 <= len(parts) <= length + 2 or len(line) == _LONGEST_LINE:
            what = f"a line is not a number, {length} words and perhaps another number"
            raise self.fault(what, _shown(line.strip()))
        section.log_probs.append(self._number(parts[0], highest=0.0))
        section.backoffs.append(self._number(parts[-1], highest=math.inf) if len(parts) == length + 2 else 0.0)
        section.lines.append(self._line)
        for word in parts[1 : length + 1]:
            if length == 1:
                place = self.ids.setdefault(word, len(self.ids))
            elif (known := self.ids.get(word)) is not None:
                place = known
            else:
                raise self.fault("a word is not among the 1-grams", _shown(word))
            section.ids.append(place)

    def _number(self, written: bytes, *, highest: float) -> float:
        try:
            number = float(written)
        except ValueError:
            number = math.nan
        if math.isnan(number) or number > highest or number == math.inf:
            kind = "a probability" if highest == 0 else "a backoff"
            raise self.fault(f"{kind} is no base-10 logarithm", _shown(written))
        return number


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", errors="replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
