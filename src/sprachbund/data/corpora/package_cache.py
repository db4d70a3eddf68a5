"""A cache of Debian packages: downloaded with apt-get or taken from a file, unpacked without root rights."""

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from sprachbund.data.corpora.deb import unpack_deb
from sprachbund.errors import CorpusError

_MIRROR = "https://packages.debian.org/bookworm/all/{name}/download"
_LOCK = ".lock"  # held while a folder of the cache is replaced
_DIGEST = ".deb-sha256"  # which file a folder of the cache was unpacked from


@dataclass(frozen=True)
class Package:
    """A Debian package, and what a reader relies on in it."""

    name: str
    files: tuple[tuple[str, int], ...]  # with their sizes in bytes
    wanted: tuple[str, ...] = ("*",)  # patterns of the files to unpack, beside the notices; * stands for / too
    counts: tuple[tuple[str, str, int], ...] = ()  # folder, pattern of names at any depth below it, how many there are

    @property
    def mend(self) -> str:
        """How a user gets the package where apt-get cannot."""
        address = _MIRROR.format(name=self.name)
        return f"Download the .deb by hand from {address} and pass it, or the folder that holds it, with --from."

    def wants(self, path: str) -> bool:
        """Whether a file of the package is to be unpacked."""
        notices = f"usr/share/doc/{self.name}/"
        is_notice = path.startswith(notices) and "/" not in path.removeprefix(notices)
        return is_notice or any(fnmatchcase(path, pattern) for pattern in self.wanted)


def cache_folder() -> Path:
    """Where unpacked packages are kept: ``packages`` in SPRACHBUND_CACHE, or in the user's cache folder."""
    default = Path.home() / ".cache" / "sprachbund"
    return Path(os.environ.get("SPRACHBUND_CACHE") or default) / "packages"


def cached_package(package: Package) -> Path | None:
    """The folder of the unpacked package if the cache has it whole, else None."""
    folder = cache_folder() / package.name
    return folder if folder.is_dir() and _find_fault(package, folder) is None else None


def fetch_packages(packages: Sequence[Package], source: Path | None = None) -> dict[str, Path]:
    """Find, or download and unpack, packages; what is there already is not fetched again.

    Args:
        packages: the packages wanted.
        source: a ``.deb`` file, a folder with ``.deb`` files, or a folder with unpacked content; None for the cache
            and, failing that, apt-get. With a source nothing is downloaded.

    Returns:
        Package name -> the folder below which its files lie (``usr/...``).

    Raises:
        CorpusError: a package cannot be had, or its files have other sizes than those described.
    """
    if source is not None and not source.exists():
        raise CorpusError("the source given with --from does not exist", where=source, mend="Check the path.")
    return {package.name: _fetch_package(package, source) for package in packages}


def package_version(package: Package, folder: Path) -> str:
    """The version of the unpacked package, from the first line of its changelog; "unknown" without one."""
    changelog = folder / "usr/share/doc" / package.name / "changelog.Debian.gz"
    try:
        with gzip.open(changelog, "rt", encoding="utf-8", errors="replace") as handle:
            match = re.search(r"\(([^)]+)\)", handle.readline())
    except (OSError, EOFError):
        return "unknown"
    return match[1] if match else "unknown"


def _fetch_package(package: Package, source: Path | None) -> Path:
    if source is not None:
        folder = _unpacked_source(package, source)
        if folder is not None:
            return _checked(package, folder)
        deb = _find_deb(package, source)
        if deb is not None:
            return _unpack(package, deb)
    cached = cached_package(package)
    if cached is not None:
        return cached
    if source is not None:
        raise CorpusError(
            "the source given with --from lacks a package", where=source, given=package.name, mend=package.mend
        )
    return _download(package)


def _unpacked_source(package: Package, source: Path) -> Path | None:
    """The folder of unpacked content that `source` is, or holds under the package's name."""
    for folder in (source / package.name, source):
        if (folder / package.files[0][0]).is_file():
            return folder
    return None


def _find_deb(package: Package, source: Path) -> Path | None:
    pattern = re.compile(re.escape(package.name) + r"([_-]\d.*)?\.deb")
    candidates = [source] if source.is_file() else sorted(source.glob("*.deb"))
    return next((path for path in candidates if pattern.fullmatch(path.name)), None)


def _download(package: Package) -> Path:
    """Let apt-get download the package into the cache, then unpack it."""
    apt = shutil.which("apt-get")
    if apt is None:
        raise CorpusError("the package cannot be downloaded without apt-get", given=package.name, mend=package.mend)
    cache = _make_cache()
    with tempfile.TemporaryDirectory(prefix=f".{package.name}.", dir=cache) as folder:
        command = [apt, "download", package.name]
        result = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603
        deb = _find_deb(package, Path(folder))
        if result.returncode or deb is None:
            problem = result.stderr.decode("utf-8", "replace").strip().splitlines()
            raise CorpusError(
                "apt-get cannot download the package",
                where=package.name,
                given=problem[-1] if problem else f"exit status {result.returncode}",
                mend=f"Run apt-get update, or check the connection. {package.mend}",
            )
        return _unpack(package, deb)


def _unpack(package: Package, deb: Path) -> Path:
    """Unpack into the cache under a temporary name, check, and rename: the cache never holds half a package.

    What was unpacked from an equal file before, or meanwhile by another process, is left as it is.
    """
    cache = _make_cache()
    folder, digest = cache / package.name, _digest_of(deb)
    if _holds(package, folder, digest):
        return folder
    partial = Path(tempfile.mkdtemp(prefix=f".{package.name}.", dir=cache))
    try:
        unpack_deb(deb, partial, package.wants)
        _checked(package, partial)
        (partial / _DIGEST).write_text(digest, "ascii")
        partial.chmod(0o755)
        _install(package, partial, folder, digest)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _install(package: Package, partial: Path, folder: Path, digest: str) -> None:
    """Rename `partial` to `folder`, whatever lies there, unless another process has put the same there."""
    with (folder.parent / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _holds(package, folder, digest):
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)


def _holds(package: Package, folder: Path, digest: str) -> bool:
    try:
        return (folder / _DIGEST).read_text("ascii") == digest and _find_fault(package, folder) is None
    except (OSError, ValueError):
        return False


def _digest_of(deb: Path) -> str:
    try:
        with deb.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError("the package cannot be read", where=deb, given=error.strerror) from None


def _make_cache() -> Path:
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            "the package cache cannot be created",
            where=cache,
            given=error.strerror,
            mend="Set SPRACHBUND_CACHE to a folder that you may write to.",
        ) from None
    return cache


def _checked(package: Package, folder: Path) -> Path:
    fault = _find_fault(package, folder)
    if fault is not None:
        raise CorpusError(
            f"the package {package.name} is not the one described", where=folder, given=fault, mend=package.mend
        )
    return folder


def _find_fault(package: Package, folder: Path) -> str | None:
    """What is missing or of another size; None when all is right."""
    for name, size in package.files:
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes instead of {size}"
    for name, pattern, count in package.counts:
        found = sum(1 for path in (folder / name).rglob(pattern) if path.is_file())
        if found != count:
            return f"{name} holds {found} files {pattern} instead of {count}"
    return None
