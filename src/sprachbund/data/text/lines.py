"""What a source of text is: numbered lines, reached one by one in any order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

DEFAULT_FIELD = "text"


@dataclass(frozen=True)
class Line:
    """A line of a source."""

    number: int  # from 0
    text: str
    beside: Mapping[str, str] = field(default_factory=dict)  # the other fields of text of a line store, by name


@runtime_checkable
class TextSource(Protocol):
    """Lines that may be more than memory holds."""

    name: str  # as `open_text` takes it

    def __len__(self) -> int: ...

    def line(self, number: int) -> Line:
        """A line by its number, from 0.

        Raises:
            DataError: the line cannot be read as text; file and line are told.
        """
        ...

    @property
    def num_bytes(self) -> int:
        """About how large all lines are."""
        ...

    def fingerprint(self) -> str:
        """What tells whether two sources have the same lines; all of a file may be read for it."""
        ...


def each_line(source: TextSource) -> Iterator[Line]:
    """The lines in their order."""
    return map(source.line, range(len(source)))
