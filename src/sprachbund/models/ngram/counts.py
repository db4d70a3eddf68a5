"""Counting n-grams: blocks of text become sorted tables, which are merged: memory follows the distinct n-grams."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sprachbund.models.ngram.model import BEGIN, END
from sprachbund.models.ngram.trie import distinct
from sprachbund.shapes import Array, Int

BLOCK = 1 << 20  # words counted at once


@dataclass(frozen=True, eq=False)
class Counts:
    """N-grams of one length, sorted, and how often they occur.

    Before its first word a sentence has begins of sentence until all its words end an n-gram of full length.
    """

    rows: Int[Array, "ngram length"]
    numbers: Int[Array, " ngram"]

    def renamed(self, new_ids: Int[Array, " word"]) -> "Counts":
        """The same with other ids of the words, some of which may become one."""
        return summed(new_ids[self.rows].astype(np.int32), self.numbers)

    def ends(self) -> "tuple[Counts, Int[Array, ' shorter']]":
        """The n-grams without their first words, and how many different words stand before each."""
        order, starts = distinct(self.rows[:, 1:])
        rows = self.rows[order[starts], 1:]
        before = np.diff(starts, append=len(order))
        return Counts(rows, np.add.reduceat(self.numbers[order], starts)), before


def summed(rows: Int[Array, "ngram length"], numbers: Int[Array, " ngram"]) -> Counts:
    """Counts of rows in any order, some of which may be equal."""
    order, starts = distinct(rows)
    if not len(starts):
        return Counts(rows, numbers)
    return Counts(rows[order[starts]], np.add.reduceat(numbers[order], starts))


class NgramCounter:
    """Counts the n-grams of sentences.

    Args:
        length: words of an n-gram.
        block: words that are counted at once.
    """

    def __init__(self, length: int, *, block: int = BLOCK) -> None:
        self.length, self.block = length, block
        self._words: list[int] = []
        self._tables: list[Counts] = []

    def add(self, sentences: Iterable[Sequence[int]]) -> None:
        """Count sentences of ids, without their begins and ends."""
        padding = [BEGIN] * (self.length - 1)
        for sentence in sentences:
            self._words += padding
            self._words += sentence
            self._words.append(END)
            if len(self._words) >= self.block:
                self._count_block()

    def counts(self) -> Counts:
        """Of all sentences so far."""
        if self._words:
            self._count_block()
        self._merge()
        return self._tables[0] if self._tables else Counts(np.zeros((0, self.length), np.int32), np.zeros(0, np.int64))

    def _count_block(self) -> None:
        windows = np.lib.stride_tricks.sliding_window_view(np.array(self._words, dtype=np.int32), self.length)
        self._words = []
        # A window that ends in the padding of a sentence reaches back into the one before.
        kept = windows[windows[:, -1] != BEGIN]
        self._tables.append(summed(kept, np.ones(len(kept), dtype=np.int64)))
        # Merging when the newer ones weigh as much as the oldest costs each n-gram a few merges in all.
        if sum(len(table.rows) for table in self._tables[1:]) >= max(4 * self.block, len(self._tables[0].rows)):
            self._merge()

    def _merge(self) -> None:
        if len(self._tables) > 1:
            rows = np.concatenate([table.rows for table in self._tables])
            numbers = np.concatenate([table.numbers for table in self._tables])
            self._tables = [summed(rows, numbers)]
