"""Lines of any file, plain or gzipped, read one by one: damage ends them, and is told, but raises nothing."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.errors import DataError

LONGEST = 1 << 24  # bytes of a line that are kept, so that a file without line ends cannot fill the memory


@dataclass(frozen=True)
class Line:
    """One line, without its end."""

    number: int  # from 1
    content: bytes
    is_whole: bool = True  # False where it is longer than is kept
    damage: str | None = None  # why the file ends here; such a line has no content


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file; the last one tells of the damage where the file cannot be read to its end.

    Raises:
        DataError: there is no such file, or it may not be read.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise DataError(
            "a file cannot be read", where=path, given=error.strerror, mend="Check the path, or fetch the corpus first."
        ) from None
    with raw:
        yield from _read(gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw)


def _read(handle: Any) -> Iterator[Line]:
    number = 0
    while True:
        number += 1
        try:
            content = handle.readline(LONGEST)
            is_whole = len(content) < LONGEST or content.endswith(b"\n")
            _skip_rest(handle, content)
        except (OSError, EOFError, zlib.error) as error:
            yield Line(number, b"", damage=str(error))
            return
        if not content:
            return
        yield Line(number, content.removesuffix(b"\n").removesuffix(b"\r"), is_whole)


def _skip_rest(handle: Any, content: bytes) -> None:
    while len(content) == LONGEST and not content.endswith(b"\n"):
        content = handle.readline(LONGEST)
