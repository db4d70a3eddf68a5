"""Praat's TextGrid files, long or short, as forced aligners write them: a tier of words and one of phones.

Praat itself reads nothing of such a file but free-standing numbers, quoted texts and flags in angle brackets; so does
this reader, which makes the long and the short form one.
"""

import codecs
import math
import re
from collections.abc import Iterator
from pathlib import Path

from lhotse.supervision import AlignmentItem

from sprachbund.data.importers.alignments import attach, manifest_of, split_of, timed
from sprachbund.data.importers.utterances import Parts, Request, find_lists
from sprachbund.data.phones import PHONE, WORD
from sprachbund.errors import DataError

ENDING = ".TextGrid"
# Names of tiers, also behind the name of a speaker ("anna - words").
TIERS = {"word": WORD, "words": WORD, "phone": PHONE, "phones": PHONE, "phoneme": PHONE, "phonemes": PHONE}
_VALUES = re.compile(r'"(?:[^"]|"")*"|<\w+>|(?<!\S)[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\S)', re.ASCII)
_MEND = "Write it again with Praat as a text file."


def parts(request: Request) -> Parts:
    """The manifest with the alignments of a TextGrid, or of all below a folder.

    Raises:
        DataError: the source does not exist, or no manifest was given.
    """
    source, manifest = request.path, manifest_of(request)
    files = sorted(source.rglob(f"*{ENDING}")) if source.is_dir() else list(find_lists(request, ENDING).values())
    if not files:
        raise DataError("there is no TextGrid", where=source, mend="Check the path.")
    return {split_of(request): lambda: attach(manifest, _read_all(files))}


def read_textgrid(path: Path) -> dict[str, list[AlignmentItem]]:
    """Tier ("word", "phone") -> its intervals that have a text; other tiers are not read.

    Raises:
        DataError: the file cannot be read, or is no TextGrid.
    """
    values = _Values(path)
    if values.text() != "ooTextFile" or values.text() != "TextGrid":
        raise values.fault("the file is no TextGrid in text form")
    values.number(), values.number()
    tiers: dict[str, list[AlignmentItem]] = {}
    if not values.flag():
        return tiers
    for _ in range(values.count()):
        kind = values.text()
        if kind not in ("IntervalTier", "TextTier"):
            raise values.fault(f"a tier is of the unknown kind {kind[:40]}")
        name = values.text()
        tier = TIERS.get(name.rpartition(" - ")[2].strip().lower())
        values.number(), values.number()
        items = list(_read_intervals(values) if kind == "IntervalTier" else _read_points(values))
        if tier is not None:
            # Of several speakers, in the order of time.
            tiers[tier] = sorted([*tiers.get(tier, []), *items], key=lambda item: item.start)
    return tiers


def _read_intervals(values: "_Values") -> Iterator[AlignmentItem]:
    for _ in range(values.count()):
        start, end, text = values.number(), values.number(), values.text().strip()
        if end < start or start < 0:
            raise values.fault(f"an interval ends before it starts ({start} to {end})")
        if text:
            yield timed(text, start, end - start)


def _read_points(values: "_Values") -> Iterator[AlignmentItem]:
    for _ in range(values.count()):
        values.number(), values.text()
    yield from ()


def _read_all(files: list[Path]) -> dict[str, dict[str, list[AlignmentItem]]]:
    read: dict[str, dict[str, list[AlignmentItem]]] = {}
    for path in files:
        if path.stem in read:
            raise DataError("two TextGrids have one name", where=path, mend="Import their folders one by one.")
        read[path.stem] = read_textgrid(path)
    return read


class _Values:
    """The values of a file in their order.

    Args:
        path: a text file in UTF-8, or in UTF-16 with its mark.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            content = path.read_bytes()
            is_wide = content.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
            self.content = content.decode("utf-16" if is_wide else "utf-8-sig")
        except UnicodeDecodeError:
            raise DataError("a TextGrid is neither UTF-8 nor UTF-16", where=path, mend=_MEND) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError("a TextGrid cannot be read", where=path, given=reason) from None
        self.matches = _VALUES.finditer(self.content)
        self.place = 0

    def fault(self, what: str) -> DataError:
        """The error to raise about the value that was read last."""
        line = self.content.count("\n", 0, self.place) + 1
        return DataError(what, where=f"{self.path}, line {line}", mend=_MEND)

    def text(self) -> str:
        """The next value, a quoted text."""
        value = self._next()
        if not value.startswith('"'):
            raise self.fault(f"a text is wanted, and there is {value[:40]}")
        return value[1:-1].replace('""', '"')

    def number(self) -> float:
        """The next value, a finite number."""
        value = self._next()
        if value.startswith(('"', "<")) or not math.isfinite(float(value)):
            raise self.fault(f"a number is wanted, and there is {value[:40]}")
        return float(value)

    def count(self) -> int:
        """The next value, a number of things that follow."""
        value = self.number()
        if not value.is_integer() or value < 0:
            raise self.fault(f"a count is wanted, and there is {value}")
        return int(value)

    def flag(self) -> bool:
        """Whether the next value says that there is something."""
        value = self._next()
        if not value.startswith("<"):
            raise self.fault(f"a flag is wanted, and there is {value[:40]}")
        return value == "<exists>"

    def _next(self) -> str:
        match = next(self.matches, None)
        if match is None:
            self.place = len(self.content)
            raise self.fault("the file is cut short")
        self.place = match.start()
        return match[0]
