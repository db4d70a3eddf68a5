"""Attention biased by distance, and gates for the bias of each query (Chen et al. 2022, WavLM)."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn.masking import hidden_keys
from sprachbund.nn.relative_attention import attend_in_blocks
from sprachbund.shapes import Bool, Float, Int, Tensor

_SUMMED = 4  # numbers that each gate is the sum of: so the released weights hold it


class GatedBias(NamedTuple):
    """What is added to attention logits: a number for each distance, times a number for each query."""

    distances: Float[Tensor, "head distance"]
    """Of key minus query, rising from ``1 - frames``."""
    gates: Float[Tensor, "batch head query"]


class DistanceBias(nn.Module):
    """A number for each head and distance, where far distances share theirs (Raffel et al. 2020, T5, section 2.1).

    One half of the buckets is for keys after the query, the other for the rest. In each half the near distances have
    buckets of their own; then the widths of buckets grow with the distance, up to `max_distance`.
    """

    def __init__(self, num_buckets: int, max_distance: int, num_heads: int) -> None:
        super().__init__()
        self.max_distance = max_distance
        self.table = nn.Embedding(num_buckets, num_heads)

    def forward(self, num_frames: int) -> Float[Tensor, "head distance"]:
        """For all distances between that many frames, rising from ``1 - num_frames``."""
        distances = torch.arange(1 - num_frames, num_frames, device=self.table.weight.device)
        bias: Tensor = self.table(self._buckets(distances)).T
        return bias

    def _buckets(self, distances: Int[Tensor, " distance"]) -> Int[Tensor, " distance"]:
        half = self.table.num_embeddings // 2
        near = half // 2
        far = distances.abs()
        # In this order of operations, because rounding decides where a bucket ends.
        grown = torch.log(far.clamp(min=near).float() / near) / math.log(self.max_distance / near) * (half - near)
        buckets = torch.where(far < near, far, (near + grown).long().clamp(max=half - 1))
        return buckets + half * (distances > 0)


class BiasGate(nn.Module):
    """How much a query minds distances, made of its part of the state for each head."""

    def __init__(self, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(head_dim, 2 * _SUMMED)
        self.scale = nn.Parameter(torch.ones(1, num_heads, 1, 1))

    def forward(self, states: Float[Tensor, "batch frame dim"]) -> Float[Tensor, "batch head frame"]:
        """What the bias of each head and query is multiplied with: 2 where the first of its two gates is shut."""
        heads = states.view(*states.shape[:2], self.scale.shape[1], -1).transpose(1, 2)  # -> batch head frame head_dim
        numbers = self.projection(heads)
        update, reset = numbers.view(*numbers.shape[:3], 2, _SUMMED).sum(dim=4).sigmoid().unbind(dim=3)
        gates: Tensor = update * (reset * self.scale[..., 0] - 1.0) + 2.0
        return gates


def biased_attention(
    queries: Float[Tensor, "batch head frame dim"],
    keys: Float[Tensor, "batch head frame dim"],
    values: Float[Tensor, "batch head frame dim"],
    bias: GatedBias,
    *,
    padding_mask: Bool[Tensor, "batch frame"] | None = None,
    dropout: float = 0.0,
) -> Float[Tensor, "batch head frame dim"]:
    """Softmax of content logits and gated bias, times the values; never a bias of all queries by all keys.

    Args:
        queries: not yet scaled.
        keys: of the same frames.
        values: of the same frames.
        bias: for these frames.
        padding_mask: True at keys nobody attends to; no row is padding throughout.
        dropout: of the weights.
    """
    num_frames = keys.shape[2]
    runs = bias.distances.unfold(1, num_frames, 1)  # -> head run key, a view; the first run is the last query's
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (queries, keys, values, *bias))

    def attend(block: Tensor, start: int) -> Tensor:
        stop = start + block.shape[2]
        numbers = torch.arange(num_frames - 1 - start, num_frames - 1 - stop, -1, device=block.device)
        added = bias.gates[:, :, start:stop, None] * runs[:, numbers]  # -> batch head query key
        hidden = hidden_keys(padding_mask, False, block.shape[2], num_frames, start, block.device)
        if hidden is not None:
            added = added.masked_fill(hidden, float("-inf"))
        return F.scaled_dot_product_attention(block, keys, values, attn_mask=added.to(block.dtype), dropout_p=dropout)

    return attend_in_blocks(attend, queries, num_frames, learns=learns)
