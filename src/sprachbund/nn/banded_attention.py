"""Relative attention on a processor: what lies beyond the longest distance costs no bias, and logits stay in its cache.

All keys farther than the longest distance are compared with the same vector of the table, on either side. That vector
can be added to the keys themselves, and only the band of keys around a query needs logits of its own.
"""

from collections.abc import Sequence

import torch

from sprachbund.shapes import Float, Tensor

BLOCK_QUERIES = 256
"""Queries whose logits over all keys are computed at a time, so that those of some heads stay in the cache."""
MAX_BLOCK_VALUES = 2**22
"""Logits of a block: longer sequences get blocks of fewer queries."""
_ALIGNMENT = 16  # values; rows that begin at a cache line are multiplied faster


def banded_attention(
    queries: Float[Tensor, "batch head frame dim"],
    keys: Float[Tensor, "batch head frame dim"],
    values: Float[Tensor, "batch head frame dim"],
    table: Float[Tensor, "distance dim"],
    lengths: Sequence[int],
) -> Float[Tensor, "batch head frame dim"]:
    """What `relative_attention` computes, for self-attention in float32 without gradients and dropout.

    Args:
        queries: not yet scaled.
        keys: of the same frames.
        values: of the same frames.
        table: vectors of `RelativePositions`.
        lengths: keys of each row that are attended to, the first ones.
    """
    batch, num_heads, num_frames, dim = queries.shape
    scaled = (queries * dim**-0.5).contiguous()
    result = queries.new_empty(batch, num_frames, num_heads, dim).transpose(1, 2)
    # Two heads at a time for each core.
    group = min(num_heads, 2 * torch.get_num_threads())
    band = _Band(table, group, num_frames)
    for first in range(0, num_heads, group):
        heads = slice(first, min(first + group, num_heads))
        for row, length in enumerate(lengths):
            band.attend(scaled[row, heads], keys[row, heads, :length], values[row, heads, :length], result[row, heads])
    return result


class _Band:
    """Buffers for some heads, used again for every row.

    A row of `logits` is as long as the sequence and has a margin on both sides, which the band of the first and last
    queries reaches into. It holds minus infinity, and stays so whatever is added.
    """

    def __init__(self, table: Float[Tensor, "distance dim"], num_heads: int, num_frames: int) -> None:
        self.reach = reach = len(table) // 2
        self.margin = -(-reach // _ALIGNMENT) * _ALIGNMENT
        width = -(-(self.margin + num_frames + reach) // _ALIGNMENT) * _ALIGNMENT
        self.step = max(1, min(BLOCK_QUERIES, num_frames, MAX_BLOCK_VALUES // (num_heads * width)))
        self.logits = table.new_empty(num_heads, self.step, width)
        self.num_keys = 0  # that `logits` is laid out for
        self.keys = table.new_empty(num_heads, table.shape[1], num_frames)  # this way round they multiply faster
        self.before, self.after = table[-1][:, None], table[0][:, None]  # of keys too far before a query, and after it
        # Column c of the band holds the key at ``query - reach + 1 + c``.
        self.near = table.flip(0).T.expand(num_heads, -1, -1)  # -> head dim column
        ones = table.new_ones(self.step, self.step)
        self.lower, self.upper = ones.tril(-1), ones.triu()

    def attend(
        self,
        queries: Float[Tensor, "head frame dim"],
        keys: Float[Tensor, "head key dim"],
        values: Float[Tensor, "head key dim"],
        result: Float[Tensor, "head frame dim"],
    ) -> None:
        """Fill `result`."""
        (num_heads, num_frames, _), num_keys = queries.shape, keys.shape[1]
        keys, values = keys.transpose(1, 2), values.contiguous()
        mixed, totals = torch.empty_like(queries), queries.new_empty(num_heads, num_frames, 1)
        if num_keys != self.num_keys:
            self.num_keys = num_keys
            self.logits.fill_(-torch.inf)
        compared = self.keys[:num_heads, :, :num_keys]
        torch.add(keys, self.after, out=compared)
        far = queries @ torch.cat([self.before, self.after], dim=1)  # -> head frame 2
        low = high = 0
        valid = slice(self.margin, self.margin + num_keys)
        for start in range(0, num_frames, self.step):
            stop = min(start + self.step, num_frames)
            low, high = self._move_window(keys, compared, (start, stop), (low, high))
            logits = self.logits[:num_heads, : stop - start]
            torch.bmm(queries[:, start:stop], compared, out=logits[:, :, valid])
            self._add_near(logits, queries[:, start:stop], far[:, start:stop], start)
            # A softmax in place, so that a second buffer need not fit the cache.
            weights = logits[:, :, valid]
            weights.sub_(weights.amax(dim=2, keepdim=True)).exp_()
            torch.sum(weights, dim=2, keepdim=True, out=totals[:, start:stop])
            torch.bmm(weights, values, out=mixed[:, start:stop])
        torch.div(mixed, totals, out=result)

    def _move_window(
        self,
        keys: Float[Tensor, "head dim key"],
        compared: Float[Tensor, "head dim key"],
        block: tuple[int, int],
        window: tuple[int, int],
    ) -> tuple[int, int]:
        """Bring `compared` from a window to that of the next block of queries, which is returned.

        Inside are plain keys, for all that some query of the block has in its band; before and after are keys with the
        vector of the far side added.
        """
        (start, stop), (low, high), num_keys = block, window, keys.shape[2]
        new_low = min(num_keys, max(0, start - self.reach + 1))
        new_high = max(new_low, min(num_keys, stop + self.reach))
        torch.add(keys[:, :, low:new_low], self.before, out=compared[:, :, low:new_low])
        entering = slice(max(high, new_low), new_high)
        compared[:, :, entering] = keys[:, :, entering]
        return new_low, new_high

    def _add_near(
        self,
        logits: Float[Tensor, "head query column"],
        queries: Float[Tensor, "head query dim"],
        far: Float[Tensor, "head query 2"],
        start: int,
    ) -> None:
        """Add what relative positions say of the plain keys: the band of each query, and the corners beside it."""
        num_heads, num_queries, width = logits.shape
        first = self.margin - self.reach + 1 + start  # column of the first query's band
        # One column further in every row: a product of matrices can be added to such a diagonal band in place.
        shape, strides = (num_heads, num_queries, 2 * self.reach), (self.step * width, width + 1, 1)
        logits.as_strided(shape, strides, logits.storage_offset() + first).baddbmm_(queries, self.near[:num_heads])
        corner = logits[:, :, first : first + num_queries]
        corner.addcmul_(far[:, :, :1], self.lower[:num_queries, :num_queries])
        last = first + 2 * self.reach
        corner = logits[:, :, last : last + num_queries - 1]
        corner.addcmul_(far[:, :, 1:], self.upper[:num_queries, : num_queries - 1])
