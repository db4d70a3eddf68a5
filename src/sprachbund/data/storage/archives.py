"""Members of tar files by random access: an index of places, made once by a walk over the headers."""

import functools
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sprachbund.errors import DataError

METADATA = (".json", ".nodata", ".nometa")  # what Lhotse puts beside the members
_MEND = "Copy or write the archive again."


@dataclass(frozen=True)
class Member:
    """Where a member lies in its archive."""

    suffix: str
    offset: int  # bytes
    size: int


def read_member(archive: Path, key: str) -> tuple[bytes, str]:
    """The content of a member and its suffix.

    Args:
        archive: a tar file without compression.
        key: the member's name without its suffix.

    Raises:
        DataError: the archive is missing, damaged or cut short, or has no such member.
    """
    try:
        state = archive.stat()
        member = _index(archive, (state.st_mtime_ns, state.st_size)).get(key)
        if member is None:
            raise DataError("the archive has no such member", where=archive, given=key, mend=_MEND)
        with archive.open("rb") as handle:
            handle.seek(member.offset)
            content = handle.read(member.size)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError("the archive cannot be read", where=archive, given=reason, mend=_MEND) from None
    if len(content) != member.size:
        raise _cut_short(archive)
    return content, member.suffix


# One file is indexed once in each process, and anew when it has changed.
@functools.cache
def _index(archive: Path, _state: tuple[int, int]) -> Mapping[str, Member]:
    index: dict[str, Member] = {}
    try:
        with tarfile.open(archive, "r:") as opened:
            for entry in opened:
                stem, dot, ending = entry.name.rpartition(".")
                if not entry.isreg() or entry.issparse() or dot + ending in METADATA:
                    continue
                key = stem if dot else entry.name
                if key in index:
                    raise DataError("the archive holds a member twice", where=archive, given=key, mend=_MEND)
                index[key] = Member(dot + ending if dot else "", entry.offset_data, entry.size)
            end = opened.offset
    # What damage makes of numbers and names is not all caught by tarfile.
    except (tarfile.TarError, EOFError, OverflowError, MemoryError, ValueError) as error:
        given = str(error) or type(error).__name__
        raise DataError("the archive is damaged or cut short", where=archive, given=given, mend=_MEND) from None
    with archive.open("rb") as handle:
        handle.seek(end)
        if handle.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            # A header that cannot be read ends the walk as well, but only the true end is a block of zeros.
            raise _cut_short(archive)
    return index


def _cut_short(archive: Path) -> DataError:
    return DataError("the archive is cut short or damaged", where=archive, mend=_MEND)
