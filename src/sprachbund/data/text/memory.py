"""Lines of ids in memory, read as those of a line store are; and several of either kind as one."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from sprachbund.shapes import Array, Int

TOKENS, UNITS = "tokens", "units"
"""The fields of text as token ids, and of units as dictionary ids."""


@runtime_checkable
class IdLines(Protocol):
    """Numbered lines with named fields of ids; `LineStore` is one."""

    def __len__(self) -> int: ...

    def lengths(self, name: str, numbers: Int[Array, " number"] | None = None) -> Int[Array, " number"]:
        """Ids of lines; of all where no numbers are given."""
        ...

    def num_items(self, name: str) -> int:
        """Ids of all lines together."""
        ...

    def tokens(self, name: str, number: int) -> Int[Array, " token"]:
        """The ids of a line."""
        ...


class MemoryLines:
    """Lines of ids, packed.

    Args:
        lines: each a mapping of `names` to ids.
        names: of the fields.
    """

    def __init__(
        self, lines: Iterable[Mapping[str, Sequence[int] | Int[Array, " token"]]], names: Sequence[str]
    ) -> None:
        packed = {name: (array("i"), array("q")) for name in names}
        for line in lines:
            for name, (ids, ends) in packed.items():
                ids.extend(np.asarray(line[name], dtype=np.int32).tolist())
                ends.append(len(ids))
        self._ids = {name: np.array(ids, dtype=np.int32) for name, (ids, _) in packed.items()}
        self._ends = {name: np.array([0, *ends], dtype=np.int64) for name, (_, ends) in packed.items()}

    def __len__(self) -> int:
        return len(next(iter(self._ends.values()))) - 1

    def lengths(self, name: str, numbers: Int[Array, " number"] | None = None) -> Int[Array, " number"]:
        """See `IdLines.lengths`."""
        lengths: Int[Array, " line"] = np.diff(self._ends[name])
        return lengths if numbers is None else lengths[numbers]

    def num_items(self, name: str) -> int:
        """See `IdLines.num_items`."""
        return len(self._ids[name])

    def tokens(self, name: str, number: int) -> Int[Array, " token"]:
        """See `IdLines.tokens`."""
        start, end = self._ends[name][number : number + 2]
        ids: Int[Array, " token"] = self._ids[name][start:end]
        return ids


class ChainedLines:
    """The lines of several, one after another."""

    def __init__(self, parts: Sequence[IdLines]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def lengths(self, name: str, numbers: Int[Array, " number"] | None = None) -> Int[Array, " number"]:
        """See `IdLines.lengths`."""
        if numbers is None:
            return np.concatenate([part.lengths(name) for part in self._parts])
        owners, lengths = self._owners(numbers), np.zeros(len(numbers), dtype=np.int64)
        for place, part in enumerate(self._parts):
            mine = owners == place
            lengths[mine] = part.lengths(name, numbers[mine] - self._starts[place])
        return lengths

    def num_items(self, name: str) -> int:
        """See `IdLines.num_items`."""
        return sum(part.num_items(name) for part in self._parts)

    def tokens(self, name: str, number: int) -> Int[Array, " token"]:
        """See `IdLines.tokens`."""
        owner = int(self._owners(np.array([number]))[0])
        return self._parts[owner].tokens(name, number - int(self._starts[owner]))

    def _owners(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        return np.searchsorted(self._starts, numbers, side="right") - 1
