"""Relative attention written out with every tensor whole, which the faster ways are compared with, and their memory."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def attention_written_out(
    queries: Tensor, keys: Tensor, values: Tensor, table: Tensor, hidden: Tensor | None = None, first: int = 0
) -> Tensor:
    """Softmax of content and relative-position logits, times the values."""
    reach = len(table) // 2
    queries = queries * queries.shape[3] ** -0.5
    distance = torch.arange(first, first + queries.shape[2])[:, None] - torch.arange(keys.shape[2])[None]
    vectors = table[distance.clamp(-reach, reach - 1) + reach]
    logits = queries @ keys.transpose(2, 3) + torch.einsum("bhqd,qkd->bhqk", queries, vectors)
    if hidden is not None:
        logits = logits.masked_fill(hidden, float("-inf"))
    return logits.softmax(dim=3) @ values


def padding(lengths: list[int], width: int) -> Tensor:
    """True after each row's length."""
    return torch.arange(width)[None] >= torch.tensor(lengths)[:, None]


def projected(shape: tuple[int, int, int, int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values in the layout that projections give them."""
    generator = torch.Generator().manual_seed(seed)
    batch, heads, frames, dim = shape
    queries, keys, values = (torch.randn(batch, frames, heads, dim, generator=generator) for _ in range(3))
    return queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation yields."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.bytes = max(self.bytes, leaf.untyped_storage().nbytes())
        return result
