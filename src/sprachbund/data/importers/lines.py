"""Lists of other tools, read strictly: UTF-8, whatever the line ends, and errors that name file and line."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sprachbund.errors import DataError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SHOWN = 80  # characters of a line that a message holds
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Line:
    """A line of a list, without its end."""

    path: Path
    number: int  # counted from 1
    text: str

    @property
    def where(self) -> str:
        """File and number, as messages name the line."""
        return f"{self.path}, line {self.number}"

    def fault(self, what: str, mend: str | None = None) -> DataError:
        """The error to raise about this line."""
        return DataError(what, where=self.where, given=shorten(self.text), mend=mend)

    def number_of(self, text: str, what: str) -> float:
        """A finite number that is not negative.

        Raises:
            DataError: `text` is none.
        """
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(value) or value < 0:
            raise self.fault(f"the {what} is not a number of at least 0")
        return value


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, one at a time; a byte order mark and carriage returns at line ends are taken off.

    Raises:
        DataError: the file cannot be read, or a line is not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as handle:
            for number, content in enumerate(handle, start=1):
                if number == 1:
                    content = content.removeprefix(BYTE_ORDER_MARK)
                yield Line(path, number, content.decode("utf-8").removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError as error:
        mend = "Write the file as UTF-8, for example with iconv."
        raise DataError("a line is not UTF-8", where=f"{path}, line {number}", given=error.reason, mend=mend) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError("a list cannot be read", where=path, given=reason, mend="Check the path.") from None


def read_table(path: Path) -> dict[str, tuple[str, Line]]:
    """Key -> the rest of its line, of a list as Kaldi's: a key, blanks, and what belongs to it; blank lines are none.

    Raises:
        DataError: the file cannot be read, or holds a key twice.
    """
    table: dict[str, tuple[str, Line]] = {}
    for line in read_lines(path):
        key, *rest = line.text.split(maxsplit=1)[:2] or [""]
        if key in table:
            raise line.fault(f"{shorten(key)} is there twice", "Keep one of the lines.")
        if key:
            table[key] = (rest[0].strip() if rest else "", line)
    return table


def locate(name: str, folder: Path) -> Path:
    """The file that a list in `folder` names: relative to it, or to the current folder where only that has the file."""
    beside = folder / name
    return Path(name) if not is_file(beside) and is_file(Path(name)) else beside


def is_file(path: Path) -> bool:
    """Whether a file is there; False for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def shorten(text: str) -> str:
    """Text of a user for a message: one line, not too long."""
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return repr(shown if len(shown) <= SHOWN else shown[:SHOWN] + "…")
