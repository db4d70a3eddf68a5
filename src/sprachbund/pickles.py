"""Pickles read as data: nothing that a file names is ever looked up, imported or called.

A pickle is a program for a small stack machine. This is such a machine that knows containers, numbers and texts; where
a pickle asks for a call, it notes name and arguments down instead. Names that the reader does not expect are refused,
so that the user hears of a file that wants to run something. The opcodes are decoded by the standard library.
"""

import io
import mmap
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, cast

Stream = io.BufferedIOBase | mmap.mmap
MOST_STEPS = 20_000_000  # a hundred times what a checkpoint of a large model takes; bounds memory and time
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # names of Python 2, which old protocols use
_DAMAGES = (EOFError, IndexError, KeyError, MemoryError, OverflowError, TypeError, ValueError, struct.error)
_SCALARS = (str, bytes, int, float, type(None))


class PickleRefusedError(ValueError):
    """A pickle is damaged, or names what its reader does not expect; the message says which."""


@dataclass(frozen=True)
class Name:
    """The dotted name of something, which is not looked up."""

    text: str


@dataclass(eq=False)
class Stub:
    """What calling `name` with `arguments` would have made, and the content it would have been given."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: dict[Any, Any] = field(default_factory=dict)


def _no_persistent(_: Any) -> Any:
    raise PickleRefusedError("it refers to something outside of it")


def _unchanged(stub: Stub) -> Any:
    return stub


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a reader expects in a pickle.

    Args:
        makers: names whose calls are answered by functions of ours, which take untrusted arguments.
        inert: names that become a `Stub` when called; one that ends with a dot stands for all that begin so.
        persistent: answers references to what lies outside of the pickle.
        finish: told of each stub that has been given its state; what it returns takes the stub's place.
    """

    makers: Mapping[str, Callable[..., Any]]
    inert: tuple[str, ...] = ()
    persistent: Callable[[Any], Any] = _no_persistent
    finish: Callable[[Stub], Any] = _unchanged

    def knows(self, name: str) -> bool:
        """Whether a pickle may hold this name."""
        return name in self.makers or any(
            name == one or (one[-1] == "." and name.startswith(one)) for one in self.inert
        )


def read_pickle(stream: Stream, reading: Reading) -> Any:
    """What the pickle at the place of `stream` holds; the stream is left right after it.

    Raises:
        PickleRefusedError: it is damaged, or names what `reading` does not know.
    """
    machine = _Machine(reading)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], stream))):
            if opcode.name == "STOP":
                return machine.stack.pop()
            if number == MOST_STEPS:
                raise PickleRefusedError(f"it has more than {MOST_STEPS} steps")
            machine.step(opcode.name, argument)
    except PickleRefusedError:
        raise
    except _DAMAGES as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise PickleRefusedError(f"it is damaged ({reason})") from None
    raise PickleRefusedError("it has no end")


class _Machine:
    """Stack, marks and memo. `stack` holds what came after the last mark; `below` the stacks under earlier marks."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def step(self, opcode: str, argument: Any) -> None:
        """Do what one opcode says."""
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode](argument))
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        else:
            raise PickleRefusedError(f"it uses the opcode {opcode}, which no file of this kind needs")

    def pop_mark(self) -> list[Any]:
        """What came after the last mark."""
        found, self.stack = self.stack, self.below.pop()
        return found

    def push_mark(self) -> None:
        """Begin a new stack."""
        self.below.append(self.stack)
        self.stack = []

    def append(self, values: list[Any]) -> None:
        """Add values to the list on top."""
        target = self.stack[-1]
        found = target.items if isinstance(target, Stub) else target
        if not isinstance(found, list):
            raise PickleRefusedError("it appends to something that is no list")
        found.extend(values)

    def set_items(self, values: list[Any]) -> None:
        """Set keys and values, given by turns, in the mapping on top."""
        target = self.stack[-1]
        found = target.entries if isinstance(target, Stub) else target
        if not isinstance(found, dict):
            raise PickleRefusedError("it sets keys of something that is no mapping")
        found.update(_pairs(values))

    def add_items(self, values: list[Any]) -> None:
        """Add values to the set on top."""
        found = self.stack[-1]
        if not isinstance(found, set):
            raise PickleRefusedError("it adds to something that is no set")
        found.update(map(_key, values))

    def name(self, module: Any, name: Any) -> None:
        """Push a name, if it is expected."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleRefusedError("it has a name that is not text")
        text = f"{_RENAMED.get(module, module)}.{name}"
        if not self.reading.knows(text):
            raise PickleRefusedError(f"it names {text[:100]!r}")
        self.stack.append(Name(text))

    def call(self) -> None:
        """Put down what a call would make. The call itself never takes place."""
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Name) or not isinstance(arguments, tuple):
            raise PickleRefusedError("it calls something that is not a name")
        maker = self.reading.makers.get(called.text)
        self.stack.append(Stub(called.text, arguments) if maker is None else maker(*arguments))

    def build(self) -> None:
        """Give the object on top its state; attributes of plain mappings, such as versions, are left out."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Stub):
            target.state = state
            self.stack[-1] = self.reading.finish(target)
        elif not isinstance(target, dict):
            raise PickleRefusedError("it gives a state to something that has none")


def _key(value: Any) -> Any:
    """Only what is hashed at once: tuples in tuples, a million deep, would exhaust the C stack."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, (*_SCALARS, Name, Stub)) for part in parts):
        raise PickleRefusedError(f"it has a key of the kind {type(value).__name__}")
    return value


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise PickleRefusedError("it has a key without a value")
    return {_key(key): value for key, value in zip(values[::2], values[1::2], strict=True)}


def _itself(argument: Any) -> Any:
    return argument


_VALUES = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
)  # fmt: skip
_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_VALUES, _itself),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_DICT": lambda _: {},
    "EMPTY_SET": lambda _: set(),
}


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        if len(machine.stack) < count:
            raise PickleRefusedError("it takes more from its stack than there is")
        machine.stack[-count:] = [tuple(machine.stack[-count:])]

    return step


def _pop(machine: _Machine, _: Any) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.pop_mark()


def _memoize(machine: _Machine, index: Any) -> None:
    machine.memo[len(machine.memo) if index is None else index] = machine.stack[-1]


def _recall(machine: _Machine, index: Any) -> None:
    machine.stack.append(machine.memo[index])


def _push(make: Callable[[list[Any]], Any]) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        values = machine.pop_mark()
        machine.stack.append(make(values))

    return step


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.name(module, name)


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    "MARK": lambda machine, _: machine.push_mark(),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    "TUPLE": _push(tuple),
    "LIST": _push(list),
    "DICT": _push(_pairs),
    "FROZENSET": _push(lambda values: frozenset(map(_key, values))),
    **{f"TUPLE{count}": _tuple_of(count) for count in (1, 2, 3)},
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.add_items(machine.pop_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _memoize),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.call(),
    "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": lambda machine, _: machine.build(),
    "PERSID": lambda machine, argument: machine.stack.append(machine.reading.persistent(argument)),
    "BINPERSID": lambda machine, _: machine.stack.append(machine.reading.persistent(machine.stack.pop())),
}
