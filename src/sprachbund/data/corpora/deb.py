"""Debian package files, unpacked without Debian's tools: ``ar`` archives with a member ``data.tar.*`` of files."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sprachbund.errors import CorpusError

_MAGIC = b"!<arch>\n"
_HEADER = 60
_END = b"`\n"
_EXPAND: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".tar": bytes,
}
_UNPACK = "Unpack the package yourself and pass the folder with --from."
_MEND = "Download the package again; the file may be cut short."


def unpack_deb(deb: Path, folder: Path, wants: Callable[[str], bool] | None = None) -> None:
    """Extract the regular files of a Debian package below `folder`; links and special files are left out.

    Args:
        deb: the package.
        folder: where to.
        wants: tells whether the file of a path (``usr/...``) is extracted; None for all.

    Raises:
        CorpusError: `deb` is not a package, is truncated, is compressed in an unknown way, or holds a path that leads
            outside `folder`.
    """
    if not hasattr(tarfile, "data_filter"):
        raise CorpusError(
            "this Python cannot extract archives safely",
            where=deb,
            mend="Update Python (3.11.4 or later), or unpack the package yourself and pass the folder with --from.",
        )
    try:
        with _open_data(deb) as archive:
            for member in archive:
                if member.isfile() and (wants is None or wants(member.name.removeprefix("./"))):
                    archive.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise CorpusError(
            "the package holds a path that leads outside its folder", where=deb, given=error, mend=_MEND
        ) from None
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise CorpusError("the package cannot be unpacked", where=folder, given=error.strerror) from None
        raise CorpusError("the package's archive is damaged", where=deb, given=error, mend=_MEND) from None


@contextmanager
def _open_data(deb: Path) -> Iterator[tarfile.TarFile]:
    """The tar archive inside the package."""
    with deb.open("rb") as handle:
        name, size = _find_data(deb, handle)
        if name.endswith(".zst"):
            with _open_foreign(deb) as archive:
                yield archive
            return
        content = handle.read(size)
        if len(content) < size:
            raise CorpusError(
                "the package is cut short", where=deb, given=f"{len(content)} of {size} bytes", mend=_MEND
            )
        # Whole, so that the checksum at the end is verified before a file is written.
        expand = _EXPAND.get(Path(name).suffix)
        if expand is None:
            raise CorpusError("the package is compressed in an unknown way", where=deb, given=name, mend=_UNPACK)
        with tarfile.open(fileobj=io.BytesIO(expand(content)), mode="r:") as archive:
            yield archive


def _find_data(deb: Path, handle: IO[bytes]) -> tuple[str, int]:
    """Advance `handle` to the content of the member ``data.tar*``; its name and size."""
    if handle.read(len(_MAGIC)) != _MAGIC:
        raise CorpusError("not a Debian package", where=deb, mend="Pass the .deb file as it was downloaded.")
    while len(header := handle.read(_HEADER)) == _HEADER:
        name, digits, end = header[:16].decode("ascii", "replace").strip().rstrip("/"), header[48:58], header[58:]
        if end != _END or not digits.strip().isdigit():
            break
        size = int(digits)
        if name.startswith("data.tar"):
            return name, size
        handle.seek(size + size % 2, io.SEEK_CUR)
    raise CorpusError("the package has no member data.tar", where=deb, mend=_MEND)


@contextmanager
def _open_foreign(deb: Path) -> Iterator[tarfile.TarFile]:
    """The tar archive of a package whose compression (Zstandard) the standard library lacks, through dpkg-deb."""
    tool = shutil.which("dpkg-deb")
    if tool is None:
        raise CorpusError(
            "the package is compressed with Zstandard, which needs the program dpkg-deb",
            where=deb,
            mend="Install dpkg, or unpack the package yourself and pass the folder with --from.",
        )
    result = subprocess.run([tool, "--fsys-tarfile", str(deb)], capture_output=True, check=False)  # noqa: S603
    if result.returncode:
        problem = result.stderr.decode("utf-8", "replace").strip()
        raise CorpusError("dpkg-deb cannot read the package", where=deb, given=problem, mend=_MEND)
    with tarfile.open(fileobj=io.BytesIO(result.stdout), mode="r:") as archive:
        yield archive
