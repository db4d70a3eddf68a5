"""Where each line of a file ends, so that any line is reached at once.

Files are mapped, not read; the index of a large one, and the content of a large gzipped one, are kept in the cache
folder as files of their own and mapped too.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from sprachbund.data.corpora.package_cache import cache_folder
from sprachbund.errors import DataError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Int, Shaped

SMALL = 64 << 20  # bytes up to which an index, or what a gzip file holds, stays in memory
_PIECE = 4 << 20
_HIGHEST_RATIO = 300  # of gzip, as in manifests
_LONGEST_LINE = 16 << 20  # bytes
_LINE_FEED = 10
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MEND = "Check the path, or fetch the corpus first."


class IndexedLines:
    """The lines of a file as bytes, without their ends; a file that ends in a line feed has no empty line after it.

    Args:
        path: a file, gzipped where its name ends in ``.gz``.

    Raises:
        DataError: the file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._content = _unpacked(path) if path.suffix == ".gz" else _mapped(path)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataError("a text file cannot be read", where=path, given=reason, mend=_MEND) from None
        self._ends = _find_ends(self._content, path)

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def num_bytes(self) -> int:
        """Bytes of the unpacked file."""
        return len(self._content)

    def __getitem__(self, number: int) -> bytes:
        if not 0 <= number < len(self):
            raise IndexError(number)
        start, end = (int(self._ends[number - 1]) if number else 0), int(self._ends[number])
        if end - start > _LONGEST_LINE:
            raise DataError("a line is too long", where=f"{self.path}, line {number + 1}", given=f"{end - start} bytes")
        line = self._content[start:end].tobytes().removesuffix(b"\n").removesuffix(b"\r")
        return line if number else line.removeprefix(_BYTE_ORDER_MARK)


def _mapped(path: Path) -> Shaped[Array, " byte"]:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.uint8)


def _unpacked(path: Path) -> Shaped[Array, " byte"]:
    """What a gzip file holds, in memory where it is small, else in the cache."""
    if path.stat().st_size * 16 <= SMALL:
        content = b"".join(_unpack(path))
        return np.frombuffer(content, dtype=np.uint8)

    def write(handle: IO[Any]) -> None:
        for piece in _unpack(path):
            handle.write(piece)

    return _mapped(_cached(path, "content", write))


def _unpack(path: Path) -> Iterator[bytes]:
    left = max(SMALL, _HIGHEST_RATIO * path.stat().st_size)
    with gzip.open(path) as handle:
        while piece := handle.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise ValueError("it unpacks to far more than texts do")
            yield piece


def _find_ends(content: Shaped[Array, " byte"], path: Path) -> Int[Array, " line"]:
    if len(content) <= SMALL:
        return np.concatenate([np.zeros(0, dtype=np.int64), *_ends(content)])

    def write(handle: IO[Any]) -> None:
        for ends in _ends(content):
            handle.write(ends.astype("<i8").tobytes())

    return np.memmap(_cached(path, "ends", write), dtype="<i8", mode="r")


def _ends(content: Shaped[Array, " byte"]) -> Iterator[Int[Array, " line"]]:
    """The places behind the line feeds, piece by piece, and at last that of a line without one."""
    for start in range(0, len(content), _PIECE):
        yield np.flatnonzero(content[start : start + _PIECE] == _LINE_FEED) + (start + 1)
    if len(content) and content[-1] != _LINE_FEED:
        yield np.array([len(content)])


def _cached(path: Path, kind: str, write: Callable[[IO[Any]], None]) -> Path:
    """A file of the cache that belongs to `path` as it is now; made where it is not there."""
    facts = path.stat()
    key = f"{path.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}"
    kept = cache_folder().parent / "text" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.{kind}"
    if not kept.is_file():
        with write_atomically(kept) as handle:
            write(handle)
    return kept
