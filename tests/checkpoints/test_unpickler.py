import argparse
import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.checkpoints.unpickler import StoredTensor, TorchFile, read_torch_file
from sprachbund.errors import CheckpointError
from sprachbund.pickles import Stub
from tiny import Trap

LAYOUTS = pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
DTYPES = (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)  # fmt: skip


def save(path: Path, content: Any, *, new: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


def read(path: Path) -> TorchFile:
    return read_torch_file(path, inert=("argparse.Namespace",), makers={})


def some_tensors() -> dict[str, torch.Tensor]:
    numbers = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    kinds = {str(dtype): (10 * numbers).to(dtype) for dtype in DTYPES}
    views = {"transposed": numbers.T, "part": numbers[1::2, 1:3], "flat": numbers.view(-1), "again": numbers}
    return {**kinds, **views, "none": torch.zeros(0, 3), "one": torch.tensor(2.5), "tiny": torch.ones(1, 1, 1)}


def assert_equal(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name
        assert found[name].is_contiguous(), name


@LAYOUTS
def test_tensors_are_read_as_torch_reads_them(new: bool, tmp_path: Path):
    tensors = some_tensors()
    ordered = OrderedDict(tensors)
    ordered._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]  # as state dictionaries have it
    content = {"model": ordered, "args": argparse.Namespace(a=1), "parameter": torch.nn.Parameter(tensors["one"])}
    file = read(save(tmp_path / "file.pt", content, new=new))
    assert_equal(file.tensors(file.content["model"]), tensors)
    assert torch.equal(file.tensors({"p": file.content["parameter"]})["p"], tensors["one"])
    arguments = file.content["args"]
    assert isinstance(arguments, Stub)
    assert (arguments.name, arguments.state) == ("argparse.Namespace", {"a": 1})


@LAYOUTS
def test_only_wanted_tensors_are_read(new: bool, tmp_path: Path):
    content = {"small": torch.ones(3), "large": torch.zeros(1000)}
    file = read(save(tmp_path / "file.pt", content, new=new))
    assert_equal(file.tensors({"x": file.content["small"]}), {"x": content["small"]})
    assert all(isinstance(tensor, StoredTensor) for tensor in file.content.values())


@LAYOUTS
def test_what_is_read_does_not_share_memory(new: bool, tmp_path: Path):
    numbers = torch.arange(4.0)
    file = read(save(tmp_path / "file.pt", {"a": numbers, "b": numbers[:2]}, new=new))
    found = file.tensors(file.content)
    found["a"].zero_()
    assert torch.equal(found["b"], torch.tensor([0.0, 1.0]))


@LAYOUTS
def test_nothing_is_executed(new: bool, tmp_path: Path):
    marker = tmp_path / "marker"
    for content in (Trap(f"touch {marker}"), {"model": {"a": torch.ones(2)}, "cfg": [Trap(f"touch {marker}")]}):
        path = save(tmp_path / "trap.pt", content, new=new)
        torch.load(path, weights_only=False)
        assert marker.exists(), "the payload does no harm, so the test would show nothing"
        marker.unlink()
        with pytest.raises(CheckpointError, match=r"names 'posix.system'.*Nothing in it was run"):
            read(path)
        assert not marker.exists()


class Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def test_pickles_in_pickles_are_not_opened(tmp_path: Path):
    marker = tmp_path / "marker"
    inner = io.BytesIO()
    torch.save(Trap(f"touch {marker}"), inner)
    path = save(tmp_path / "trap.pt", {"model": Call(torch.storage._load_from_bytes, inner.getvalue())})
    with pytest.raises(CheckpointError, match=r"names 'torch\.storage\._load_from_bytes'"):
        read(path)
    path = save(tmp_path / "trap.pt", {"model": Call(pickle.loads, pickle.dumps(Trap(f"touch {marker}")))})
    with pytest.raises(CheckpointError, match=r"names 'pickle\.loads'"):
        read(path)
    assert not marker.exists()


def rebuilt(*arguments: Any) -> Any:
    return Call(torch._utils._rebuild_tensor_v2, torch.ones(4).storage(), *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        (0, (5,), (1,)),
        (1, (4,), (1,)),
        (0, (2, 2), (3, 2)),
        (0, (1 << 40,), (0,)),  # would unpack to terabytes
        (0, (1 << 70,), (0,)),
        (-1, (4,), (1,)),
        (0, (-4,), (1,)),
        (0, (4,), (-1,)),
        (0, (4,), (1, 1)),
        (0, (4.0,), (1,)),
        (0, (True,), (1,)),
        (0, [4], [1]),
        ("0", (4,), (1,)),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_tensors_that_reach_beyond_their_storage_are_refused(arguments: tuple[Any, ...], tmp_path: Path):
    path = save(tmp_path / "file.pt", rebuilt(*arguments, False, OrderedDict()))
    with pytest.raises(CheckpointError, match=r"tensor (of an impossible shape|that is larger than its storage)"):
        read(path)


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_many_large_tensors_in_one_storage_are_refused(tmp_path: Path):
    numbers = torch.ones(10_000)
    file = read(save(tmp_path / "file.pt", {str(count): numbers[count:] for count in range(50)}))
    with pytest.raises(CheckpointError, match="tensors are larger than the file"):
        file.tensors(file.content)


def repack(path: Path, change: dict[str, bytes | None], *, compression: int = zipfile.ZIP_STORED) -> Path:
    """Parts of a zip file replaced, or left out."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            new = change.get(name.partition("/")[2], content)
            if new is not None:
                archive.writestr(name, new)
    return path


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data/0": None}, "numbers of a tensor are missing"),
        ({"data/0": b"\0" * 12}, "numbers of a tensor are missing"),
        ({"data.pkl": None}, "zip archive, but not one of torch"),
        ({"byteorder": b"big"}, "big-endian"),
        ({"data.pkl": b"\x80\x02}q\x00"}, "damaged"),
    ],
    ids=str,
)
def test_parts_that_are_missing_or_foreign_are_refused(change: dict[str, bytes | None], told: str, tmp_path: Path):
    path = repack(save(tmp_path / "file.pt", {"a": torch.ones(4)}), change)
    with pytest.raises(CheckpointError, match=told):
        file = read(path)
        file.tensors(file.content)


def test_archives_that_unpack_to_more_than_they_are_are_refused(tmp_path: Path):
    path = repack(save(tmp_path / "file.pt", {"a": torch.zeros(100)}), {}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match="unpack to more than the file"):
        read(path)
    path = overlapping(tmp_path / "overlapping.pt", times=50)
    with pytest.raises(CheckpointError, match="unpack to more than the file"):
        read(path)


def overlapping(path: Path, times: int) -> Path:
    """A zip file whose directory names one part many times."""
    name, content = b"x/data/00", bytes(1000)
    fields = (20, 0, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(name), 0)
    header = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", *fields) + name
    entries = [
        b"PK\x01\x02" + struct.pack("<HHHHHHIIIHHHHHII", 20, *fields, 0, 0, 0, 0, 0) + b"x/data/%02d" % number
        for number in range(times)
    ]
    start, directory = len(header) + len(content), b"".join(entries)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, times, times, len(directory), start, 0)
    path.write_bytes(header + content + directory + end)
    return path


@LAYOUTS
def test_damage_is_refused_wherever_it_is(new: bool, tmp_path: Path):
    """Cut anywhere, or with any bit of the numbers changed (the old layout has no sums)."""
    tensors = {"a": torch.arange(100.0), "b": torch.ones(50, dtype=torch.int64)}
    path = save(tmp_path / "file.pt", tensors, new=new)
    content = path.read_bytes()
    broken = tmp_path / "broken.pt"
    for end in {*range(0, len(content), 37), len(content) - 1}:
        broken.write_bytes(content[:end])
        with pytest.raises(CheckpointError, match=r"cannot be (used|read)"):
            file = read(broken)
            file.tensors(file.content)
    if new:
        place = content.index(tensors["a"].numpy().tobytes())
        broken.write_bytes(content[: place + 5] + bytes([content[place + 5] ^ 4]) + content[place + 6 :])
        with pytest.raises(CheckpointError, match="numbers of a tensor are damaged"):
            file = read(broken)
            file.tensors(file.content)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), new=st.booleans())
def test_changed_bytes_end_in_tensors_or_a_sentence(data: st.DataObject, new: bool, tmp_path_factory: Any):
    path = tmp_path_factory.mktemp("changed") / "file.pt"
    content = bytearray(save(path, {"a": torch.arange(5.0), "b": [1, "x"]}, new=new).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        file = read(path)
        tensors = {"a": file.content["a"]} if isinstance(file.content, dict) else {}
        found = file.tensors({name: value for name, value in tensors.items() if isinstance(value, StoredTensor)})
        assert all(tensor.numel() <= 5 for tensor in found.values())
    except CheckpointError:
        pass
    except KeyError as error:
        assert error.args == ("a",)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04rest", b"\x80", pickle.dumps([1]), b"\x89HDF"])
def test_other_files_are_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"this file cannot be (used|read)") as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match="No such file"):
        read(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="Is a directory"):
        read(tmp_path)
