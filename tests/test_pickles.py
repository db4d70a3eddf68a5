import collections
import io
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund import pickles
from sprachbund.pickles import Name, PickleRefusedError, Reading, Stub, read_pickle

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.tuples(st.text(), st.integers())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner), max_leaves=12
)
NOTHING = Reading(makers={})
INERT = Reading(makers={}, inert=("there.", "exactly.This"))


def read(content: bytes, reading: Reading = NOTHING) -> Any:
    return read_pickle(io.BytesIO(content), reading)


def write_global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


@settings(deadline=None)
@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_are_read_as_pickle_reads_them(value: Any, protocol: int):
    assert read(pickle.dumps(value, protocol)) == value


@settings(deadline=None)
@given(st.sets(st.integers() | st.text()), st.binary(), st.integers(4, 5))
def test_sets_and_bytes_are_read(values: set[Any], content: bytes, protocol: int):
    value = [values, frozenset(values), content, {content: values}]
    assert read(pickle.dumps(value, protocol)) == value
    assert read(pickle.dumps(bytearray(content), 5)) == content


def test_values_that_are_shared_stay_shared():
    inner: list[Any] = [1]
    inner.append(inner)
    found = read(pickle.dumps((inner, inner)))
    assert found[0] is found[1]
    assert found[0][1] is found[0]


def test_the_stream_is_left_where_the_pickle_ends():
    stream = io.BytesIO(pickle.dumps([1]) + pickle.dumps({"a": 2}) + b"tail")
    assert read_pickle(stream, NOTHING) == [1]
    assert read_pickle(stream, NOTHING) == {"a": 2}
    assert stream.read() == b"tail"


class Thing:
    """Pickled with arguments, state, items and entries."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Thing, (1, "a"), {"x": [2]}, iter([3, 4]), iter({"k": 5}.items())


def stub_of(content: bytes) -> Any:
    return read(content, Reading(makers={}, inert=(f"{__name__}.Thing",)))


@pytest.mark.parametrize("protocol", range(6))
def test_objects_become_stubs(protocol: int):
    stub = stub_of(pickle.dumps(Thing(), protocol))
    assert isinstance(stub, Stub)
    assert (stub.name, stub.arguments) == (f"{__name__}.Thing", (1, "a"))
    assert (stub.state, stub.items, stub.entries) == ({"x": [2]}, [3, 4], {"k": 5})


def test_names_are_those_that_are_expected():
    assert read(write_global("there", "anything.at.all") + b".", INERT) == Name("there.anything.at.all")
    assert read(write_global("exactly", "This") + b".", INERT) == Name("exactly.This")
    for module, name in (("therefore", "x"), ("exactly", "This.too"), ("exactly", "Thi"), ("os", "system")):
        with pytest.raises(PickleRefusedError, match=f"it names '{module}.{name}'"):
            read(write_global(module, name) + b".", INERT)


def test_makers_answer_calls():
    reading = Reading(makers={"collections.OrderedDict": lambda *_: {}})
    ordered = collections.OrderedDict(a=1, b=[2])
    ordered.version = 7  # type: ignore[attr-defined]  # the attribute is what is tested
    assert read(pickle.dumps(ordered, 2), reading) == {"a": 1, "b": [2]}


def test_finished_stubs_may_be_replaced():
    reading = Reading(makers={}, inert=("there.Box",), finish=lambda stub: ("boxed", stub.state))
    assert read(b"]" + write_global("there", "Box") + b")R}ba.", reading) == [("boxed", {})]


def test_references_are_answered():
    assert read(b"\x80\x02K\x07Q.", Reading(makers={}, persistent=lambda identity: identity * 2)) == 14
    with pytest.raises(PickleRefusedError, match="outside of it"):
        read(b"\x80\x02K\x07Q.")


class Payload:
    """Does harm when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.parts


def payloads(marker: Path) -> dict[str, Any]:
    """Calls that would write `marker`, and how they hide."""
    code = f"open({str(marker)!r}, 'w').close()"
    return {
        "system": Payload(os.system, f"touch {marker}"),
        "eval": Payload(eval, code),
        "exec": Payload(exec, code),
        "inside": {"model": [("deep", Payload(exec, code))]},
        "nested": Payload(eval, Payload(str, code)),
    }


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", ["system", "eval", "exec", "inside", "nested"])
def test_nothing_is_executed(kind: str, protocol: int, tmp_path: Path):
    marker = tmp_path / "marker"
    content = pickle.dumps(payloads(marker)[kind], protocol)
    pickle.loads(content)
    assert marker.exists(), "the payload does no harm, so the test would show nothing"
    marker.unlink()
    with pytest.raises(PickleRefusedError, match=r"it names .(posix|builtins)"):
        read(content, INERT)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"(cos\nsystem\n.", "os.system"),
        (b"(S'echo'\nios\nsystem\n.", "opcode INST"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "os.system"),
        (b"\x80\x04K\x01K\x02\x93.", "not text"),
        (b"cthere\nx\n}b.", "has none"),  # would set attributes of a class
        (b"K\x01)R.", "not a name"),
        (b"cthere\nx\nK\x01R.", "not a name"),
        (b"]]s.", "damaged"),
        (b"}]K\x01s.", "key of the kind list"),
        (b"K\x01K\x02a.", "no list"),
        (b"K\x01(K\x02K\x03u.", "no mapping"),
        (b"K\x01(K\x02\x90.", "no set"),
        (b"}(K\x01u.", "without a value"),
        (b"(K\x01d.", "without a value"),
        (b"K\x01\x86.", "more from its stack"),
        (b".", "damaged"),
        (b"t.", "damaged"),
        (b"g7\n.", "damaged"),
        (b"", "damaged"),
        (b"K\x01", "damaged"),
        (b"\xff", "damaged"),
    ],
)
def test_what_is_not_understood_is_refused(content: bytes, told: str):
    with pytest.raises(PickleRefusedError, match=told):
        read(content, INERT)


def test_inert_names_that_are_called_stay_inert():
    found = read(write_global("there", "system") + b"(S'touch x'\ntR.", INERT)
    assert (found.name, found.arguments) == ("there.system", ("touch x",))
    with pytest.raises(PickleRefusedError, match="not a name"):
        read(write_global("there", "system") + b")R)R.", INERT)


@pytest.mark.parametrize("opcode", [b"\x8e", b"\x8d", b"\x96"])
def test_lengths_beyond_the_file_take_no_memory(opcode: bytes):
    for length in (1 << 40, (1 << 63) - 1, (1 << 64) - 1):
        with pytest.raises(PickleRefusedError, match="damaged"):
            read(opcode + struct.pack("<Q", length) + b"abc.")


def test_deep_values_break_nothing():
    depth = 5_000
    nested = b")" + b"\x85" * depth
    assert isinstance(read(nested + b"."), tuple)
    with pytest.raises(PickleRefusedError, match="key of the kind tuple"):
        read(b"}" + nested + b"Ns.")
    with pytest.raises(PickleRefusedError, match="key of the kind tuple"):
        read(b"\x8f(" + nested + b"\x90.")


def test_endless_pickles_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pickles, "MOST_STEPS", 1000)
    assert read(b"]" + b"N0" * 400 + b".") == []
    with pytest.raises(PickleRefusedError, match="more than 1000 steps"):
        read(b"]" + b"N0" * 600 + b".")


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=60), VALUES)
def test_damaged_pickles_are_refused_or_read(noise: bytes, value: Any):
    content = pickle.dumps(value)
    for attempt in (noise, content[: len(content) // 2] + noise, b"(" + noise + content):
        try:
            read(attempt, INERT)
        except PickleRefusedError as error:
            assert str(error).startswith("it ")
