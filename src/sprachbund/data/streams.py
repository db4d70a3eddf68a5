"""Streams of batch plans: which cuts or lines stand in which batch, in an order that seed and epoch alone decide.

A plan names its items without reading audio, so any place of an epoch is reached by counting plans. A `Cursor` is that
place: it counts batches handed to optimizer steps, never what a loader has fetched ahead.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.dataset import DynamicBucketingSampler

from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int

Plan = Sequence[Any]


@dataclass(frozen=True)
class Cursor:
    """The place in a stream: `batches` of pass `epoch` are consumed."""

    epoch: int = 0
    batches: int = 0


class Stream(Protocol):
    """Batch plans of one kind of data."""

    def plans(self, epoch: int) -> Iterator[Plan]:
        """The batches of one pass over the data."""
        ...


@dataclass(frozen=True)
class CutStream:
    """Cuts bucketed by duration (Lhotse's dynamic bucketing), at most `batch_seconds` a batch after padding."""

    cuts: CutSet
    batch_seconds: float
    seed: int = 0
    num_buckets: int = 10
    shuffle: bool = True

    def plans(self, epoch: int) -> Iterator[tuple[Cut, ...]]:
        """Batches of one pass; every cut stands in exactly one."""
        with warnings.catch_warnings():
            # Lhotse would rather have a lazy manifest; the metadata of the corpora here are small.
            warnings.filterwarnings("ignore", message="You are using DynamicBucketingSampler with an eagerly read")
            sampler = DynamicBucketingSampler(
                self.cuts,
                max_duration=self.batch_seconds,
                num_buckets=self.num_buckets,
                shuffle=self.shuffle,
                seed=self.seed,
                drop_last=False,
                rank=0,
                world_size=1,
            )
        sampler.set_epoch(epoch)
        for batch in sampler:
            yield tuple(batch)


@dataclass(frozen=True)
class TextLine:
    """An encoded line of a text stream."""

    id: str
    tokens: Int[Array, " token"]


class TextStream:
    """Encoded lines, batched with lines of like length, at most `batch_tokens` a batch before padding.

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

    def plans(self, epoch: int) -> Iterator[tuple[TextLine, ...]]:
        """Batches of one pass; every line stands in exactly one."""
        if not self.shuffle:
            batches = self._cut(np.arange(len(self)))
        else:
            generator = np.random.default_rng((self.seed, epoch))
            order = generator.permutation(len(self))
            lines_a_pool = max(1, self.POOL_BATCHES * self.batch_tokens // max(1, int(self._lengths.mean()) + 2))
            batches = []
            for start in range(0, len(order), lines_a_pool):
                pool = order[start : start + lines_a_pool]
                batches += self._cut(pool[np.argsort(self._lengths[pool], kind="stable")])
            generator.shuffle(batches)
        for batch in batches:
            yield tuple(self.line(int(number)) for number in batch)

    def _cut(self, numbers: Int[Array, " line"]) -> list[Int[Array, " part"]]:
        """Cut an order of lines into batches whose padded size keeps to `batch_tokens`."""
        batches, first, longest = [], 0, 0
        for place, number in enumerate(numbers):
            longest = max(longest, int(self._lengths[number]) + 2)
            if place > first and longest * (place - first + 1) > self.batch_tokens:
                batches.append(numbers[first:place])
                first, longest = place, int(self._lengths[number]) + 2
        if first < len(numbers):
            batches.append(numbers[first:])
        return batches


def endless(stream: Stream, cursor: Cursor) -> Iterator[tuple[Plan, Cursor]]:
    """Plans from `cursor` on, pass after pass, each with the place after it.

    Raises:
        DataError: a pass holds no batch.
    """
    epoch, skip = cursor.epoch, cursor.batches
    while True:
        count = 0
        for count, plan in enumerate(stream.plans(epoch), 1):
            if count > skip:
                yield plan, Cursor(epoch, count)
        if count == 0:
            raise DataError(
                "a stream holds nothing to train on", mend="Check the manifest or text and the length limits."
            )
        epoch, skip = epoch + 1, 0
