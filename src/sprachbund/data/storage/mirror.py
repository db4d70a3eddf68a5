"""Files behind http(s) addresses, copied once and whole, by one process at a time; a broken copy is gone on with."""

import fcntl
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sprachbund.errors import DataError

SCHEMES = ("http://", "https://")
TIMEOUT = 60.0  # seconds that a server may be silent
ATTEMPTS = 4
PAUSE = 0.5  # seconds before the second attempt; twice as long before each further one
ABSENT = (404, 410)
PASSING = (408, 429)  # that and all above 499 may be another time
BLOCK = 1 << 20


def is_address(name: object) -> bool:
    """Whether it is an http(s) address."""
    return str(name).lower().startswith(SCHEMES)


def mirror(address: str, path: Path) -> Path | None:
    """Copy what lies at `address` to `path`, unless it is there; None where the server has nothing there.

    A copy that broke off is gone on with where the server tells versions apart and can begin in the middle.

    Raises:
        DataError: the server refuses, fails, or cannot be reached.
    """
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            return path if path.is_file() else _try_to_fetch(address, path)
    except OSError as error:
        mend = "Check the free space and the permissions, or set SPRACHBUND_CACHE to another folder."
        raise DataError("a file cannot be mirrored", where=path, given=error.strerror or error, mend=mend) from None


def _try_to_fetch(address: str, path: Path) -> Path | None:
    problem: object = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            _fetch(address, path)
            return path
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in ABSENT:
                return None
            problem = f"{error.code} {error.reason}"
            if error.code < 500 and error.code not in PASSING:
                break
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ValueError) as error:
            problem = getattr(error, "reason", None) or error
    raise DataError(
        "the server does not give a file",
        where=address,
        given=str(problem) or type(problem).__name__,
        mend="Check the address and the connection; the same command goes on where it broke off.",
    )


def _fetch(address: str, path: Path) -> None:
    part, tag = _neighbour(path, "part"), _neighbour(path, "tag")
    request = urllib.request.Request(address, headers=_resumption(part, tag))  # noqa: S310  (callers pass http(s) only)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # There is nothing behind what we have: another version, or all of it.
        error.close()
        part.unlink(missing_ok=True)
        raise ConnectionError("the file has changed on the server") from None
    with response:
        begin, total = _extent(response)
        if begin == 0:
            _note_version(response, tag)
        elif begin != part.stat().st_size:
            raise ConnectionError("the server sends another part than asked for")
        with part.open("ab" if begin else "wb") as handle:
            shutil.copyfileobj(response, handle, BLOCK)
            handle.flush()
            os.fsync(handle.fileno())
    size = part.stat().st_size
    if total is not None and size != total:
        raise ConnectionError(f"the connection ended after {size} of {total} bytes")
    part.replace(path)
    tag.unlink(missing_ok=True)


def _resumption(part: Path, tag: Path) -> dict[str, str]:
    """Ask for the rest of the version that was begun; a server that has another one sends all of it."""
    try:
        size, version = part.stat().st_size, tag.read_text("utf-8")
    except OSError:
        return {}
    return {"Range": f"bytes={size}-", "If-Range": version} if size and version else {}


def _extent(response: Any) -> tuple[int, int | None]:
    """The first byte that is sent, and the size of the whole where the server tells."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if match is None:
            raise ConnectionError("the server does not say which part it sends")
        return int(match[1]), int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None


def _note_version(response: Any, tag: Path) -> None:
    """Keep what tells this version from others; weak tags do not."""
    version = response.headers.get("ETag", "")
    if not version or version.startswith("W/"):
        version = response.headers.get("Last-Modified", "")
    tag.write_text(version, "utf-8")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the place of a file against other processes that mean to write it."""
    with _neighbour(path, "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _neighbour(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{ending}")
