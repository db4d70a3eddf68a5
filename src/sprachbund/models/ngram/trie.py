"""A trie as one sorted array of numbers, so that children are found for many nodes at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sprachbund.shapes import Array, Int, Tensor

ROOT = 0


@dataclass(frozen=True, eq=False)
class Trie:
    """Strings of labels: the root is node 0, the others are numbered by length, then parent, then label.

    That numbering makes the keys below ascend over the whole trie, and spares a table of which node a key leads to.
    """

    keys: Int[Tensor, " node"]  # of node i + 1: its parent * num_labels + its label
    num_labels: int

    @property
    def num_nodes(self) -> int:
        """The root counted."""
        return len(self.keys) + 1

    def to(self, device: torch.device) -> "Trie":
        """The same on another device."""
        return Trie(self.keys.to(device), self.num_labels)

    def find(self, nodes: Int[Tensor, " row"], labels: Int[Tensor, " row"]) -> Int[Tensor, " row"]:
        """The child of each node at each label, -1 where there is none."""
        if not len(self.keys):
            return torch.full_like(nodes, -1)
        wanted = nodes * self.num_labels + labels
        places = torch.searchsorted(self.keys, wanted)
        found = self.keys[places.clamp(max=len(self.keys) - 1)] == wanted
        return torch.where(found, places + 1, -1)

    def children(
        self, nodes: Int[Tensor, " row"]
    ) -> tuple[Int[Tensor, " child"], Int[Tensor, " child"], Int[Tensor, " child"]]:
        """All children of all nodes, one row after the other: rows, labels, nodes."""
        edges = torch.searchsorted(self.keys, torch.stack([nodes, nodes + 1]) * self.num_labels)
        first, counts = edges[0], edges[1] - edges[0]
        rows = torch.repeat_interleave(counts)
        within = torch.arange(len(rows), device=nodes.device) - (counts.cumsum(0) - counts)[rows]
        places = first[rows] + within
        return rows, self.keys[places] - nodes[rows] * self.num_labels, places + 1


def distinct(rows: Int[Array, "string label"]) -> tuple[Int[Array, " string"], Int[Array, " distinct"]]:
    """How rows of numbers from 0 are sorted, and where in that order each distinct row begins."""
    columns = _packed(rows)
    # The last key of lexsort decides first.
    order = np.argsort(columns[0], kind="stable") if len(columns) == 1 else np.lexsort(columns[::-1])
    begins = np.ones(len(rows), dtype=bool)
    if len(rows):
        begins[1:] = np.logical_or.reduce([column[order][1:] != column[order][:-1] for column in columns])
    return order, np.flatnonzero(begins)


def _packed(rows: Int[Array, "string label"]) -> list[Int[Array, " _"]]:
    """As many numbers of a row as fit into 63 bits put together, so that there is less to compare."""
    bits = max(1, int(rows.max(initial=0)).bit_length())
    at_once = 63 // bits
    columns = []
    for start in range(0, rows.shape[1], at_once):
        column = np.zeros(len(rows), dtype=np.int64)
        for label in rows[:, start : start + at_once].T:
            column = column << bits | label
        columns.append(column)
    return columns


def trie_keys(
    levels: Sequence[Int[Array, "_ _"]], num_labels: int
) -> tuple[list[Int[Array, " _"]], list[Int[Array, " _"]]]:
    """The keys of strings, level by level, and the places of strings without their beginning in the level before.

    Args:
        levels: strings of length 1, 2 and so on, each level sorted and without repetition.
        num_labels: labels run from 0 to this, exclusive.

    Returns:
        Keys as in `Trie`, one array a level; orphans, one array a level. Where there are orphans, the first level that
        has some tells all of its own, and keys from there on mean nothing.
    """
    keys: list[Int[Array, " _"]] = []
    orphans = []
    for rows in levels:
        # Neighbours share their beginning, which is looked for once.
        begins = np.ones(len(rows), dtype=bool)
        begins[1:] = (rows[1:, :-1] != rows[:-1, :-1]).any(axis=1)
        heads = rows[begins, :-1].astype(np.int64)
        nodes = np.full(len(heads), ROOT, dtype=np.int64)
        found = np.ones(len(heads), dtype=bool)
        first = 1
        for level, labels in zip(keys, heads.T, strict=True):
            wanted = nodes * num_labels + labels
            places = np.searchsorted(level, wanted)
            found &= level[places.clip(max=len(level) - 1)] == wanted if len(level) else False
            nodes, first = first + places, first + len(level)
        number = np.cumsum(begins) - 1
        keys.append(nodes[number] * num_labels + rows[:, -1])
        orphans.append(np.flatnonzero(~found[number]))
    return keys, orphans


def suffix_nodes(keys: Sequence[Int[Array, " _"]], num_labels: int) -> Int[Array, " node"]:
    """The longest true end of each node's string that is a string of the trie too; the root's is the root."""
    whole = np.concatenate(keys)
    suffixes = np.zeros(len(whole) + 1, dtype=np.int64)
    first = 1 + len(keys[0])
    for level in keys[1:]:
        parents, labels = np.divmod(level, num_labels)
        # The end of a string is the end of its beginning, one label longer.
        contexts = suffixes[parents]
        open_places = np.arange(len(level))
        while len(open_places):
            wanted = contexts * num_labels + labels[open_places]
            places = np.searchsorted(whole[: first - 1], wanted)
            found = whole[places.clip(max=max(first - 2, 0))] == wanted
            suffixes[first + open_places[found]] = places[found] + 1
            # At the root there is nothing shorter to try.
            goes_on = ~found & (contexts != ROOT)
            open_places, contexts = open_places[goes_on], suffixes[contexts[goes_on]]
        first += len(level)
    return suffixes
