"""Streams of batch plans: which cuts or lines stand in which batch, in an order that seed and epoch alone decide.

A plan names its items without reading audio, and the plans of a pass are arrays of numbers, so any place of an epoch is
reached at once. A `Cursor` is that place: it counts batches handed to optimizer steps, never what a loader has fetched
ahead.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.batches.masking import derived_seed, row_generator
from sprachbund.data.text.memory import TOKENS, IdLines, MemoryLines
from sprachbund.data.text.shuffle import shuffled
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int, Shaped

Plan = Sequence[Any]


@dataclass(frozen=True)
class Cursor:
    """The place in a stream: `batches` of pass `epoch` are consumed."""

    epoch: int = 0
    batches: int = 0


class Pass:
    """The plans of one pass over the data, by their places; an item is looked up when its plan is asked for.

    Args:
        batches: numbers of the items of each batch.
        item: the item of a number.
    """

    def __init__(self, batches: Sequence[Int[Array, " _"]], item: Callable[[int], Any]) -> None:
        self._batches, self._item = batches, item

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, place: int) -> tuple[Any, ...]:
        return tuple(self._item(number) for number in self._batches[place].tolist())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return (self[place] for place in range(len(self)))


@runtime_checkable
class Stream(Protocol):
    """Batch plans of one kind of data."""

    def plans(self, epoch: int) -> Pass:
        """The batches of one pass over the data."""
        ...


@dataclass(frozen=True)
class CutStream:
    """Cuts bucketed by duration: a batch holds cuts of one bucket, at most `batch_seconds` after padding.

    The buckets hold equally much speech, as those of Lhotse's samplers. Those themselves are not used, because their
    order depends on the loader worker, and their batches may go over the limit.

    Args:
        cuts: all of a pass.
        batch_seconds: a longer cut is a batch of its own.
        seed: decides, with the epoch, the order.
        num_buckets: at most.
        shuffle: keep the order of the cuts, without buckets, where False.
        crop_seconds: longer cuts count as this long, because the collator crops them.
    """

    cuts: CutSet
    batch_seconds: float
    seed: int = 0
    num_buckets: int = 10
    shuffle: bool = True
    crop_seconds: float = float("inf")

    def plans(self, epoch: int) -> Pass:
        """Batches of one pass; every cut stands in exactly one."""
        seconds = self._seconds
        numbers = np.arange(len(seconds))
        if not self.shuffle or not len(seconds):
            batches = cut_into_batches(numbers, seconds, self.batch_seconds)
        else:
            generator = row_generator(self.seed, epoch, "", "order of cuts")
            order = generator.permutation(numbers)
            buckets = self._buckets(seconds)[order]
            batches = []
            for bucket in np.unique(buckets):
                batches += cut_into_batches(order[buckets == bucket], seconds, self.batch_seconds)
            batches = [batches[place] for place in generator.permutation(len(batches))]
        return Pass(batches, self._cuts.__getitem__)

    @cached_property
    def _cuts(self) -> list[Cut]:
        return list(self.cuts)

    @cached_property
    def _seconds(self) -> Shaped[Array, " cut"]:
        durations = np.array([cut.duration for cut in self._cuts], dtype=np.float64)
        return np.minimum(durations, self.crop_seconds)

    def _buckets(self, seconds: Shaped[Array, " cut"]) -> Shaped[Array, " cut"]:
        """The bucket of each cut; cuts of one duration share theirs."""
        lengths = np.sort(seconds)
        shares = np.arange(1, self.num_buckets) * (lengths.sum() / self.num_buckets)
        ends = np.searchsorted(lengths.cumsum(), shares).clip(max=len(lengths) - 1)
        return np.searchsorted(np.unique(lengths[ends]), seconds)


class LineStream(ABC):
    """Numbered lines, batched with lines of like length, at most `limit` a batch after padding.

    A pass over very many lines is walked in parts, each of the lines of a few batches: what `plans` takes for a pass is
    then a part of one. So any place is planned at once, and only lengths of one part are in memory.

    Args:
        limit: of a batch, in what `_sizes` counts.
        seed: decides, with the pass, the order.
        shuffle: keep the order of the lines where False.
    """

    # Lines are sorted by length within pools of this many batches: little padding, and still a shuffled order.
    POOL_BATCHES = 50
    # Passes of more lines than this are walked in parts of one pool.
    AT_ONCE = 1 << 19

    def __init__(self, limit: int, *, seed: int = 0, shuffle: bool = True) -> None:
        self._limit, self.seed, self.shuffle = limit, seed, shuffle

    @abstractmethod
    def __len__(self) -> int:
        """Lines of a pass."""

    @abstractmethod
    def _total(self) -> int:
        """The sizes of all lines of a pass together, or about that."""

    @abstractmethod
    def _sizes(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        """What lines count in a batch."""

    @abstractmethod
    def _item(self, number: int) -> Any:
        """A line by its number."""

    def _numbers(self, epoch: int, places: Int[Array, " place"]) -> Int[Array, " place"]:
        """The numbers of the lines at places of a pass, before it is shuffled."""
        return places

    def plans(self, epoch: int) -> Pass:
        """Batches of one pass, or of a part of one; every line of it stands in exactly one."""
        if len(self) > self.AT_ONCE:
            return self._part(epoch)
        numbers = self._numbers(epoch, np.arange(len(self)))
        sizes = self._sizes(numbers)
        if not self.shuffle:
            batches = cut_into_batches(np.arange(len(self)), sizes, self._limit)
        else:
            generator = row_generator(self.seed, epoch, "", "order of lines")
            order, lines_a_pool = generator.permutation(len(self)), self._lines_a_pool()
            batches = []
            for start in range(0, len(order), lines_a_pool):
                batches += self._pool(order[start : start + lines_a_pool], sizes)
            batches = [batches[place] for place in generator.permutation(len(batches))]
        return Pass([numbers[batch] for batch in batches], self._item)

    def _part(self, number: int) -> Pass:
        """One pool of a long pass; parts are numbered on from pass to pass."""
        size = self._lines_a_pool()
        epoch, part = divmod(number, -(-len(self) // size))
        places = np.arange(part * size, min((part + 1) * size, len(self)))
        if self.shuffle:
            places = shuffled(places, len(self), derived_seed(self.seed, epoch, "", "order of lines"))
        numbers = self._numbers(epoch, places)
        order, sizes = np.arange(len(numbers)), self._sizes(numbers)
        batches = self._pool(order, sizes) if self.shuffle else cut_into_batches(order, sizes, self._limit)
        if self.shuffle:
            generator = row_generator(self.seed, number, "", "order of batches")
            batches = [batches[place] for place in generator.permutation(len(batches))]
        return Pass([numbers[batch] for batch in batches], self._item)

    def _pool(self, pool: Int[Array, " line"], sizes: Int[Array, " number"]) -> list[Int[Array, " _"]]:
        return cut_into_batches(pool[np.argsort(sizes[pool], kind="stable")], sizes, self._limit)

    def _lines_a_pool(self) -> int:
        return max(1, self.POOL_BATCHES * self._limit * len(self) // max(1, self._total()))


@dataclass(frozen=True)
class TextLine:
    """An encoded line of a text stream."""

    id: str
    tokens: Int[Array, " token"]


class TextStream(LineStream):
    """Encoded lines, at most `batch_tokens` a batch after padding.

    Args:
        lines: token ids of each line, without sentence marks; or lines with a field ``tokens``.
        batch_tokens: tokens of a batch, sentence marks included.
        seed: decides, with the epoch, the order.
        shuffle: keep the order of the lines where False.
    """

    MARKS = 2  # of a sentence

    def __init__(
        self, lines: Sequence[Sequence[int]] | IdLines, batch_tokens: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        super().__init__(batch_tokens, seed=seed, shuffle=shuffle)
        self.batch_tokens = batch_tokens
        self._lines = lines if isinstance(lines, IdLines) else MemoryLines(({TOKENS: line} for line in lines), [TOKENS])

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, number: int) -> TextLine:
        """One line by its number."""
        return TextLine(f"line-{number:09d}", self._lines.tokens(TOKENS, number))

    _item = line

    def _total(self) -> int:
        return self._lines.num_items(TOKENS) + self.MARKS * len(self)

    def _sizes(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        return self._lines.lengths(TOKENS, numbers) + self.MARKS


def cut_into_batches(
    order: Int[Array, " item"], sizes: Shaped[Array, " number"], limit: float
) -> list[Int[Array, " part"]]:
    """Cut an order of items into batches whose padded size (items times the largest) keeps to `limit`.

    An item above the limit is a batch of its own.

    Args:
        order: numbers of the items.
        sizes: of all items, by their numbers.
        limit: of a batch.
    """
    batches, first, largest = [], 0, 0.0
    # Plain numbers: a pass of a million items is planned in a fraction of a second.
    for place, size in enumerate(sizes[order].tolist()):
        largest = max(largest, size)
        if place > first and largest * (place - first + 1) > limit:
            batches.append(order[first:place])
            first, largest = place, size
    if first < len(order):
        batches.append(order[first:])
    return batches


def endless(stream: Stream, cursor: Cursor) -> Iterator[tuple[Plan, Cursor]]:
    """Plans from `cursor` on, pass after pass, each with the place after it.

    Raises:
        DataError: a pass holds no batch.
    """
    epoch, first = cursor.epoch, cursor.batches
    while True:
        plans = stream.plans(epoch)
        if len(plans) == 0:
            raise DataError(
                "a stream holds nothing to train on", mend="Check the manifest or text and the length limits."
            )
        for place in range(first, len(plans)):
            yield plans[place], Cursor(epoch, place + 1)
        epoch, first = epoch + 1, 0
