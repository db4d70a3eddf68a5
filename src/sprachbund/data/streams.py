"""Streams of batch plans: which cuts or lines stand in which batch, in an order that seed and epoch alone decide.

A plan names its items without reading audio, and the plans of a pass are arrays of numbers, so any place of an epoch is
reached at once. A `Cursor` is that place: it counts batches handed to optimizer steps, never what a loader has fetched
ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.batches.masking import row_generator
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


@dataclass(frozen=True)
class TextLine:
    """An encoded line of a text stream."""

    id: str
    tokens: Int[Array, " token"]


class TextStream:
    """Encoded lines, batched with lines of like length, at most `batch_tokens` a batch after padding.

    Args:
        lines: token ids of each line, without sentence marks.
        batch_tokens: tokens of a batch, sentence marks included.
        seed: decides, with the epoch, the order.
        shuffle: keep the order of the lines where False.
    """

    # Lines are sorted by length within pools of this many batches: little padding, and still a shuffled order.
    POOL_BATCHES = 50

    def __init__(
        self, lines: Sequence[Sequence[int]], batch_tokens: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        self.batch_tokens, self.seed, self.shuffle = batch_tokens, seed, shuffle
        self._lengths = np.array([len(line) for line in lines], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self._lengths)])
        self._tokens = np.fromiter((token for line in lines for token in line), dtype=np.int32)

    def __len__(self) -> int:
        return len(self._lengths)

    def line(self, number: int) -> TextLine:
        """One line by its number."""
        start, end = self._starts[number], self._starts[number + 1]
        return TextLine(f"line-{number:09d}", self._tokens[start:end])

    def plans(self, epoch: int) -> Pass:
        """Batches of one pass; every line stands in exactly one."""
        lengths = self._lengths + 2  # the sentence marks
        if not self.shuffle:
            batches = cut_into_batches(np.arange(len(self)), lengths, self.batch_tokens)
        else:
            generator = row_generator(self.seed, epoch, "", "order of lines")
            order = generator.permutation(len(self))
            lines_a_pool = max(1, self.POOL_BATCHES * self.batch_tokens * len(self) // max(1, int(lengths.sum())))
            batches = []
            for start in range(0, len(order), lines_a_pool):
                pool = order[start : start + lines_a_pool]
                pool = pool[np.argsort(lengths[pool], kind="stable")]
                batches += cut_into_batches(pool, lengths, self.batch_tokens)
            batches = [batches[place] for place in generator.permutation(len(batches))]
        return Pass(batches, self.line)


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
