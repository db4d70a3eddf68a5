"""Lhotse Shar, from a folder or an http(s) address, read by random access.

Shar keeps cuts in ``cuts.NNNNNN.jsonl.gz`` and what belongs to them in ``FIELD.NNNNNN.tar``. The cuts of all shards
are read at the start; recordings and arrays stay references to members of the archives, which are opened when they are
needed. So the order of training does not depend on the shards, and any place of it is reached at once.
Files behind an address are copied into the cache: cuts at the start, each archive when it is first needed.
"""

import hashlib
import io
import itertools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from lhotse import CutSet, MonoCut, Recording
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.audio import AudioSource
from lhotse.features.io import FeaturesReader, register_reader
from lhotse.utils import fastcopy

from sprachbund.data.corpora.package_cache import cache_folder
from sprachbund.data.storage.archives import read_member
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, read_manifest_bytes
from sprachbund.data.storage.mirror import is_address, mirror
from sprachbund.errors import DataError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array

SHAR = "shar"  # Lhotse's type of a recording or an array whose data are elsewhere
MEMBER = "shar_member"  # ours: the same with a place
LISTING = "shards.json"
_CUTS = re.compile(r"cuts(?:\.(\d+))?\.jsonl(?:\.gz)?")
_FIRST, _SINGLE = "cuts.000000.jsonl.gz", "cuts.jsonl.gz"
_MEND = "Write the Shar again, for example with `sprachbund corpus export shar`."


def read_speech(source: Path | str) -> CutSet:
    """The cuts of a manifest, or of a Shar folder or address.

    Raises:
        DataError: it is missing or malformed, or the server fails.
    """
    return read_shar(source) if is_shar(source) else read_cuts(Path(source))


def speech_fingerprint(source: Path | str) -> str:
    """What tells whether two runs saw the same manifest, or the same cuts of a Shar.

    Raises:
        DataError: it is missing or malformed, or the server fails.
    """
    if not is_shar(source):
        return file_fingerprint(Path(source))
    digest = hashlib.sha256()
    for path in _shards(source):
        digest.update(f"{path.name}\n".encode())
        digest.update(read_manifest_bytes(path))
    return digest.hexdigest()


def is_shar(source: Path | str) -> bool:
    """Whether it is an address, or a folder with cuts of a Shar."""
    return is_address(source) or any(_CUTS.fullmatch(path.name) for path in Path(source).glob("cuts*.jsonl*"))


def read_shar(source: Path | str) -> CutSet:
    """The cuts of all shards, in their order; recordings and arrays are read when they are asked for.

    Raises:
        DataError: a shard is missing or malformed, or the server fails.
    """
    cuts = [cut for path in _shards(source) for cut in _read_shard(path, source)]
    return CutSet.from_cuts(cuts)


def read_recording(reference: str) -> bytes:
    """The file of a recording that a cut of a Shar refers to.

    Raises:
        DataError: the archive or its member is missing or damaged, or the server fails.
    """
    try:
        archive, key = json.loads(reference)
    except (ValueError, TypeError):
        mend = "Read the Shar from its folder, and not through a manifest."
        raise DataError("a recording of a Shar has no place", given=reference[:80], mend=mend) from None
    return read_member(_local(str(archive)), str(key))[0]


@register_reader
class SharReader(FeaturesReader):  # type: ignore[misc]
    """Arrays of a Shar as Lhotse's manifests read them.

    Args:
        storage_path: path or address of the archive.
    """

    name = MEMBER

    def __init__(self, storage_path: str, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.storage_path = storage_path

    def read(self, key: str, left_offset_frames: int = 0, right_offset_frames: int | None = None) -> Array:
        """The array under `key`, or a part of it.

        Raises:
            DataError: the archive or its member is missing or damaged, or the server fails.
        """
        archive = _local(self.storage_path)
        content, suffix = read_member(archive, key)
        if suffix != ".npy":
            mend = "Write arrays as numpy ones."
            raise DataError("an array of a Shar is of a form not read here", where=archive, given=suffix, mend=mend)
        try:
            stored: Array = np.load(io.BytesIO(content), allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise DataError("an array of a Shar is damaged", where=f"{archive}, {key}", given=error) from None
        return stored[left_offset_frames:right_offset_frames]


def _read_shard(path: Path, source: Path | str) -> list[MonoCut]:
    """The cuts of one shard with references to the archives beside it."""
    number = _CUTS.fullmatch(path.name)
    shard = f".{number[1]}" if number and number[1] else ""
    base = str(source) if is_address(source) else str(path.parent.resolve())
    needed: set[str] = set()
    cuts = [_with_places(cut, base, shard, needed) for cut in read_cuts(path)]
    for archive in sorted(needed):
        if not is_address(archive) and not Path(archive).is_file():
            raise DataError("an archive of the Shar is missing", where=archive, mend=_MEND)
    return cuts


def _with_places(cut: Any, base: str, shard: str, needed: set[str]) -> MonoCut:
    """A cut whose recording and arrays know where they are; `needed` gets their archives."""
    if not isinstance(cut, MonoCut) or not isinstance(cut.recording, Recording) or len(cut.recording.sources) != 1:
        raise DataError("a cut of the Shar has no recording of its own", where=base, given=str(cut.id), mend=_MEND)

    def place(field: str) -> str:
        archive = _inside(base, f"{field}{shard}.tar")
        needed.add(archive)
        return archive

    recording, source = cut.recording, cut.recording.sources[0]
    if source.type == SHAR:
        reference = json.dumps([place("recording"), cut.id], ensure_ascii=False)
        recording = fastcopy(recording, sources=[AudioSource(SHAR, source.channels, reference)])
    custom = dict(cut.custom or {})
    for field, value in custom.items():
        array = value.array if isinstance(value, TemporalArray) else value
        if isinstance(array, ArrayManifest) and array.storage_type == SHAR:
            array = fastcopy(array, storage_type=MEMBER, storage_path=place(field), storage_key=cut.id)
            custom[field] = fastcopy(value, array=array) if isinstance(value, TemporalArray) else array
    # Features of others are nothing that models here take.
    return fastcopy(cut, recording=recording, custom=custom or None, features=None)


def _shards(source: Path | str) -> list[Path]:
    """The files of cuts in the order of their numbers."""
    if is_address(source):
        return _mirror_cuts(str(source))
    found: dict[int, Path] = {}
    for path in sorted(Path(source).glob("cuts*.jsonl*")):
        if match := _CUTS.fullmatch(path.name):
            found[int(match[1] or -1)] = path
    numbers = sorted(found)
    gap = next((low + 1 for low, high in itertools.pairwise(numbers) if high != low + 1), None)
    if gap is not None:
        raise DataError("a shard is missing", where=source, given=f"number {gap} of {numbers[-1]}", mend=_MEND)
    return [found[number] for number in numbers]


def _mirror_cuts(address: str) -> list[Path]:
    """The cuts of all shards, copied into the cache; how many there are is found out by asking for one after another.

    It is remembered, so that a mirrored Shar can be used without the server.
    """
    cache = _cache(address)
    try:
        names = json.loads((cache / LISTING).read_text("utf-8"))["shards"]
        known = [cache / name for name in names if _CUTS.fullmatch(name)]
    except (OSError, ValueError, KeyError, TypeError):
        known = []
    if known and all(path.is_file() for path in known):
        return known
    paths = _ask(address)
    with write_atomically(cache / LISTING, "w") as handle:
        handle.write(json.dumps({"address": address, "shards": [path.name for path in paths]}) + "\n")
    return paths


def _ask(address: str) -> list[Path]:
    paths: list[Path] = []
    for number in itertools.count():
        name = f"cuts.{number:06d}.jsonl.gz"
        path = mirror(_inside(address, name), _cache(address) / name)
        if path is None:
            break
        paths.append(path)
    if not paths:
        single = mirror(_inside(address, _SINGLE), _cache(address) / _SINGLE)
        if single is None:
            raise DataError(
                "there is no Shar at this address",
                where=address,
                given=f"neither {_FIRST} nor {_SINGLE} is there",
                mend="Give the address of the folder that holds the shards, numbered from 0.",
            )
        return [single]
    after = f"cuts.{len(paths) + 1:06d}.jsonl.gz"
    if mirror(_inside(address, after), _cache(address) / after) is not None:
        given = f"cuts.{len(paths):06d}.jsonl.gz, while the next one is there"
        raise DataError("a shard is missing on the server", where=address, given=given, mend=_MEND)
    return paths


def _local(archive: str) -> Path:
    """The archive on this machine, copied here where it lies behind an address."""
    if not is_address(archive):
        return Path(archive)
    parts = urlsplit(archive)
    folder, _, name = parts.path.rpartition("/")
    cache = _cache(urlunsplit(parts._replace(path=folder)))
    # No server is asked because a manifest names it, only one that the user named.
    path = mirror(archive, cache / name) if (cache / LISTING).is_file() else None
    if path is None:
        raise DataError("an archive of the Shar is missing on the server", where=archive, mend=_MEND)
    return path


def _inside(base: str, name: str) -> str:
    """The path or address of a file in a folder; what follows a question mark in an address stays at its end."""
    if not is_address(base):
        return str(Path(base) / name)
    parts = urlsplit(base)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def _cache(address: str) -> Path:
    """The folder of the copies of one Shar."""
    parts = urlsplit(address)
    plain = urlunsplit(parts._replace(path=parts.path.rstrip("/")))
    return cache_folder().parent / "shar" / hashlib.sha256(plain.encode()).hexdigest()[:32]
