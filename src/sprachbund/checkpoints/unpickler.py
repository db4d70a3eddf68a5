"""Files of ``torch.save`` read as data, in the zip layout and in the older one; nothing in them is executed.

First what the pickle says, with a `StoredTensor` wherever a tensor stands, then the tensors that are wanted: a
checkpoint of a training holds two numbers of the optimizer for each weight, which nobody needs here.
"""

import io
import math
import mmap
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sprachbund.errors import CheckpointError
from sprachbund.pickles import Name, PickleRefusedError, Reading, read_pickle
from sprachbund.shapes import Tensor

_ZIP_START, _PICKLE_START = b"PK\x03\x04", b"\x80"
_LEGACY_MAGIC, _LEGACY_VERSION = 0x1950A86A20F9469CFC6C, 1001
_DTYPES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
}
_STORAGES = {f"torch.{kind}Storage": dtype for kind, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that still lies in its file."""

    key: str  # of the storage
    dtype: torch.dtype
    num_stored: int  # elements of the storage
    offset: int = 0  # in elements, as the strides
    shape: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()

    @property
    def num_bytes(self) -> int:
        """Bytes of the tensor."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class _Place:
    """Where a storage lies in the file."""

    start: int
    size: int
    checksum: int | None  # CRC-32, where the layout has one


@dataclass(frozen=True)
class TorchFile:
    """What a file of ``torch.save`` holds: containers and plain values, stubs, and tensors yet to be read."""

    path: Path
    content: Any
    places: Mapping[str, _Place]

    def tensors(self, wanted: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
        """Read tensors.

        Raises:
            CheckpointError: the file is damaged, or holds less than its tensors ask for.
        """
        found: dict[str, Tensor] = {}
        with _refusals(self.path), self.path.open("rb") as handle:
            # Many tensors may share a storage; only a trap has many large ones in one small storage.
            if sum(tensor.num_bytes for tensor in wanted.values()) > 2 * handle.seek(0, 2):
                raise PickleRefusedError("its tensors are larger than the file")
            key, storage = None, bytearray()
            for name, tensor in sorted(wanted.items(), key=lambda item: item[1].key):
                if tensor.key != key:
                    key, storage = tensor.key, _read_storage(handle, self.places, tensor)
                found[name] = _cut_tensor(storage, tensor)
        return {name: found[name] for name in wanted}


def read_torch_file(path: Path, *, inert: tuple[str, ...], makers: Mapping[str, Callable[..., Any]]) -> TorchFile:
    """Read the pickle of a file of ``torch.save``.

    Args:
        path: the file.
        inert: names that may stand in it beside tensors and containers, as in `Reading`.
        makers: names answered by functions, as in `Reading`.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or names anything else.
    """
    reading = Reading(makers=_MAKERS | dict(makers), inert=(*_STORAGES, *inert), persistent=_refer)
    with _refusals(path), path.open("rb") as handle:
        start = handle.read(len(_ZIP_START))
        if start == _ZIP_START:
            return TorchFile(path, *_read_zip(handle, reading))
        if start[:1] == _PICKLE_START:
            with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as stream:
                return TorchFile(path, *_read_legacy(stream, reading))
        raise PickleRefusedError("it is not a file of torch.save")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except PickleRefusedError as error:
        raise CheckpointError(
            "this file cannot be used as a checkpoint",
            where=path,
            given=error,
            mend="Nothing in it was run. Get the file again from its publisher.",
        ) from None
    except (OSError, MemoryError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        system = error.strerror if isinstance(error, OSError) else None
        reason = system or " ".join(str(error).split())[:160] or type(error).__name__
        raise CheckpointError(
            "this file cannot be read", where=path, given=reason, mend="Check the path, or copy the file again."
        ) from None


def _read_zip(handle: io.BufferedReader, reading: Reading) -> tuple[Any, dict[str, _Place]]:
    """The layout since torch 1.6: ``NAME/data.pkl`` and a part ``NAME/data/KEY`` a storage, none compressed."""
    size = handle.seek(0, 2)
    with zipfile.ZipFile(handle) as archive:
        parts = {part.filename: part for part in archive.infolist()}
        # Parts that are compressed or lie over each other would unpack to more than there is.
        is_plain = all(part.compress_type == zipfile.ZIP_STORED for part in archive.infolist())
        if not is_plain or sum(part.file_size for part in archive.infolist()) > size:
            raise PickleRefusedError("its parts unpack to more than the file")
        pickles = [name for name in parts if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise PickleRefusedError("it is a zip archive, but not one of torch")
        prefix = pickles[0].removesuffix("data.pkl")
        if f"{prefix}byteorder" in parts and archive.read(f"{prefix}byteorder") != b"little":
            raise PickleRefusedError("its numbers are big-endian")
        content = read_pickle(io.BytesIO(archive.read(pickles[0])), reading)
    storages = f"{prefix}data/"
    places = {
        name.removeprefix(storages): _Place(_start(handle, part.header_offset), part.file_size, part.CRC)
        for name, part in parts.items()
        if name.startswith(storages)
    }
    return content, places


def _start(handle: io.BufferedReader, header: int) -> int:
    """Where the bytes of a part begin: after its header, a name and padding."""
    handle.seek(header)
    fixed = handle.read(30)
    if len(fixed) < 30 or not fixed.startswith(_ZIP_START):
        raise PickleRefusedError("it is truncated")
    name, padding = struct.unpack_from("<HH", fixed, 26)
    return header + 30 + int(name) + int(padding)


def _read_legacy(stream: mmap.mmap, reading: Reading) -> tuple[Any, dict[str, _Place]]:
    """The layout before: pickles of two versions, the machine, the content and the keys, then storage after storage."""
    plain = Reading(makers={})
    if read_pickle(stream, plain) != _LEGACY_MAGIC or read_pickle(stream, plain) != _LEGACY_VERSION:
        raise PickleRefusedError("it is a pickle, but not one of torch")
    machine = read_pickle(stream, plain)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise PickleRefusedError("its numbers are big-endian")
    found: dict[str, StoredTensor] = {}

    def refer(identity: Any) -> StoredTensor:
        stored = _refer(identity)
        return found.setdefault(stored.key, stored)

    content = read_pickle(stream, replace(reading, persistent=refer))
    keys = read_pickle(stream, plain)
    places = {}
    for key in keys if isinstance(keys, list) else ():
        stored = found.get(key) if isinstance(key, str) else None
        if stored is None or int.from_bytes(stream.read(8), "little") != stored.num_stored:
            raise PickleRefusedError("its storages are not those of its tensors")
        places[stored.key] = _Place(stream.tell(), stored.num_stored * stored.dtype.itemsize, None)
        if places[stored.key].start + places[stored.key].size > len(stream):
            raise PickleRefusedError("it is truncated")
        stream.seek(places[stored.key].size, 1)
    return content, places


def _refer(identity: Any) -> StoredTensor:
    """The storage that a pickle refers to."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[5:] not in ((), (None,)):
        raise PickleRefusedError("it refers to something that is no storage")
    mark, kind, key, _, count = identity[:5]
    dtype = _STORAGES.get(kind.text) if isinstance(kind, Name) else None
    if mark != "storage" or dtype is None or not isinstance(key, str) or not _are_sizes((count,)):
        raise PickleRefusedError("it refers to something that is no storage")
    return StoredTensor(key, dtype, count)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    """A tensor may show its storage in any way, but only what is there."""
    are_sizes = _are_sizes((offset,)) and _are_sizes(shape) and _are_sizes(stride)
    if not isinstance(storage, StoredTensor) or not are_sizes or len(shape) != len(stride):
        raise PickleRefusedError("it has a tensor of an impossible shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if math.prod(shape) > storage.num_stored or (math.prod(shape) and last >= storage.num_stored):
        raise PickleRefusedError("it has a tensor that is larger than its storage")
    return replace(storage, offset=offset, shape=tuple(shape), stride=tuple(stride))


def _rebuild_parameter(tensor: Any, *_: Any) -> StoredTensor:
    if not isinstance(tensor, StoredTensor):
        raise PickleRefusedError("it has a parameter that is no tensor")
    return tensor


def _are_sizes(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and 0 <= value < 1 << 62 for value in values)


def _empty_mapping(*_: Any) -> dict[Any, Any]:
    return {}


def _sizes(values: Any = ()) -> tuple[int, ...]:
    if not _are_sizes(values):
        raise PickleRefusedError("it has an impossible shape")
    return tuple(values)


_MAKERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _empty_mapping,
    "collections.defaultdict": _empty_mapping,
    "torch.Size": _sizes,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}


def _read_storage(handle: io.BufferedReader, places: Mapping[str, _Place], tensor: StoredTensor) -> bytearray:
    """All bytes of the storage of a tensor, checked against their sum where there is one."""
    place = places.get(tensor.key)
    if place is None or place.size != tensor.num_stored * tensor.dtype.itemsize:
        raise PickleRefusedError("the numbers of a tensor are missing or not as many as it says")
    handle.seek(place.start)
    storage = bytearray(handle.read(place.size))
    if len(storage) != place.size or (place.checksum is not None and zlib.crc32(storage) != place.checksum):
        raise PickleRefusedError("the numbers of a tensor are damaged")
    return storage


def _cut_tensor(storage: bytearray, tensor: StoredTensor) -> Tensor:
    if not math.prod(tensor.shape):
        return torch.empty(tensor.shape, dtype=tensor.dtype)
    numbers = torch.frombuffer(storage, dtype=tensor.dtype)
    return numbers.as_strided(tensor.shape, tensor.stride, tensor.offset).clone(memory_format=torch.contiguous_format)
