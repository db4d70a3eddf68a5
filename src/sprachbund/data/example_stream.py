"""A stream of examples that are in memory: words with pronunciations, phones with units."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sprachbund.data.streams import LineStream
from sprachbund.shapes import Array, Int


class ExampleStream(LineStream):
    """Examples batched with others of like size, at most `batch_size` a batch after padding.

    Args:
        examples: of a pass.
        sizes: of each example, such as its number of tokens.
        batch_size: a larger example is a batch of its own.
        seed: decides, with the pass, the order.
        shuffle: keep the order of the examples where False.
    """

    def __init__(
        self, examples: Sequence[Any], sizes: Sequence[int], batch_size: int, *, seed: int = 0, shuffle: bool = True
    ) -> None:
        super().__init__(batch_size, seed=seed, shuffle=shuffle)
        self._examples = examples
        self._all_sizes: Int[Array, " example"] = np.array(sizes, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._all_sizes)

    def _total(self) -> int:
        return int(self._all_sizes.sum())

    def _sizes(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        sizes: Int[Array, " number"] = self._all_sizes[numbers]
        return sizes

    def _item(self, number: int) -> Any:
        return self._examples[number]
