"""Attention with relative positions: blocks of queries, so that no tensor of all queries by all keys exists."""

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.nn.banded_attention import banded_attention
from sprachbund.nn.learned_attention import learned_attention
from sprachbund.nn.masking import hidden_keys
from sprachbund.nn.positions import relative_bias
from sprachbund.shapes import Bool, Float, Tensor

BLOCK_BYTES = 48 * 2**20
"""Bytes of the largest tensor that exists while a block of queries is attended for, over all heads and rows."""


def relative_attention(
    queries: Float[Tensor, "batch head query dim"],
    keys: Float[Tensor, "batch head key dim"],
    values: Float[Tensor, "batch head key dim"],
    table: Float[Tensor, "distance dim"],
    *,
    padding_mask: Bool[Tensor, "batch key"] | None = None,
    causal: bool = False,
    dropout: float = 0.0,
) -> Float[Tensor, "batch head query dim"]:
    """Softmax of content and relative-position logits, times the values (Shaw et al. 2018, section 3.2).

    Args:
        queries: not yet scaled. With `causal` they are the last positions of the keys.
        keys: at positions 0, 1, ...
        values: of the same positions.
        table: vectors of `RelativePositions`.
        padding_mask: True at keys nobody attends to; no row is padding throughout.
        causal: each query sees its own position and those before.
        dropout: of the weights.
    """
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (queries, keys, values, table))
    if not (learns or causal or dropout) and _is_banded(queries, keys, table):
        lengths = _valid_lengths(padding_mask, len(keys), keys.shape[2])
        if lengths is not None:
            return banded_attention(queries, keys, values, table, lengths)
    num_keys = keys.shape[2]
    first = num_keys - queries.shape[2] if causal else 0
    is_own = learns and queries.device.type == "cpu" and not torch.compiler.is_compiling()

    def attend(block: Tensor, start: int) -> Tensor:
        hidden = hidden_keys(padding_mask, causal, block.shape[2], num_keys, start, block.device)
        if is_own:
            return learned_attention(block, keys, values, table, first=start, hidden=hidden, dropout=dropout)
        bias = relative_bias(block * block.shape[3] ** -0.5, table, num_keys, start)
        if hidden is not None:
            bias = bias.masked_fill(hidden, float("-inf"))
        return F.scaled_dot_product_attention(block, keys, values, attn_mask=bias, dropout_p=dropout)

    return attend_in_blocks(attend, queries, num_keys, first=first, learns=learns)


def attend_in_blocks(
    attend: Callable[[Tensor, int], Tensor],
    queries: Float[Tensor, "batch head query dim"],
    num_keys: int,
    *,
    first: int = 0,
    learns: bool,
) -> Float[Tensor, "batch head query dim"]:
    """Attend for some queries after others.

    Args:
        attend: takes queries and the position of the first of them.
        queries: all of them.
        num_keys: what they attend to.
        first: position of the first query.
        learns: whether a gradient is wanted.
    """
    num_queries = queries.shape[2]
    step = block_queries(queries.shape[0] * queries.shape[1], num_queries, num_keys)
    if step >= num_queries:
        return attend(queries, first)
    blocks = []
    for start in range(0, num_queries, step):
        block = queries[:, :, start : start + step]
        # What a block needs for its gradient is made again, else all blocks would be kept until then.
        made = checkpoint(attend, block, first + start, use_reentrant=False) if learns else attend(block, first + start)
        blocks.append(made)
    return torch.cat(blocks, dim=2)


def block_queries(num_rows: int, num_queries: int, num_keys: int) -> int:
    """Queries of a block such that its widest tensor keeps to `BLOCK_BYTES`, and 1 at least.

    Each of `num_rows` heads has, for a block of n queries, n times ``num_keys + n - 1`` products with relative
    positions, of 4 bytes at most. Compiled code takes one block: a loop whose length depends on the data would be
    compiled anew for each number of blocks.
    """
    if torch.compiler.is_compiling():
        return num_queries
    products = BLOCK_BYTES // (4 * num_rows)
    width = num_keys - 1
    most = max(1, (math.isqrt(width * width + 4 * products) - width) // 2)
    # Blocks of one size: a short one at the end would cost as much as the others.
    return -(-num_queries // -(-num_queries // most))


def _is_banded(queries: Tensor, keys: Tensor, table: Tensor) -> bool:
    """Whether `banded_attention` takes these and is the faster way: measured on processors, in float32."""
    return (
        queries.device.type == "cpu"
        and {queries.dtype, keys.dtype, table.dtype} == {torch.float32}
        and queries.shape == keys.shape
        and keys.shape[2] > table.shape[0]
        and not torch.compiler.is_compiling()
    )


def _valid_lengths(padding_mask: Bool[Tensor, "batch key"] | None, batch: int, num_keys: int) -> list[int] | None:
    """Valid keys of each row; None where padding is not what comes last."""
    if padding_mask is None:
        return [num_keys] * batch
    lengths = (~padding_mask).sum(dim=1)
    is_last = torch.equal(padding_mask, padding_mask_from_lengths(lengths, num_keys))
    return lengths.tolist() if is_last else None
