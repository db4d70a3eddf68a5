"""A stream of examples that are in memory: words with pronunciations, phones with units."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sprachbund.data.batches.masking import row_generator
from sprachbund.data.streams import Pass, cut_into_batches
from sprachbund.shapes import Array, Int


class ExampleStream:
    """Examples batched with others of like size, at most `batch_size` a batch after padding.

    Args:
        examples: of a pass.
        sizes: of each example, such as its number of tokens.
        batch_size: a larger example is a batch of its own.
        seed: decides, with the epoch, the order.
        shuffle: keep the order of the examples where False.
    """

    # Examples are sorted by size within pools of this many batches: little padding, and still a shuffled order.
    POOL_BATCHES = 50

    def __init__(
        self, examples: Sequence[Any], sizes: Sequence[int], batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        self.examples, self.batch_size, self.seed, self.shuffle = examples, batch_size, seed, shuffle
        self._sizes: Int[Array, " example"] = np.array(sizes, dtype=np.int64)

    def plans(self, epoch: int) -> Pass:
        """Batches of one pass; every example stands in exactly one."""
        order = np.arange(len(self._sizes))
        if not self.shuffle:
            return Pass(cut_into_batches(order, self._sizes, self.batch_size), self.examples.__getitem__)
        generator = row_generator(self.seed, epoch, "", "order of examples")
        order = generator.permutation(order)
        pool_size = max(1, self.POOL_BATCHES * self.batch_size * len(order) // max(1, int(self._sizes.sum())))
        batches = []
        for start in range(0, len(order), pool_size):
            pool = order[start : start + pool_size]
            pool = pool[np.argsort(self._sizes[pool], kind="stable")]
            batches += cut_into_batches(pool, self._sizes, self.batch_size)
        return Pass([batches[place] for place in generator.permutation(len(batches))], self.examples.__getitem__)
