"""Layers of a decoder that attends to nothing but what was written before: a language model."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from sprachbund.nn.attention import KeysValues, MultiheadAttention
from sprachbund.nn.dropout import dropout
from sprachbund.nn.precision import sum_precision
from sprachbund.nn.transformer import FeedForward, StackConfig, is_dropped, run_part
from sprachbund.shapes import Float, Int, Tensor


class CausalLayer(nn.Module):
    """Causal self-attention and feed-forward."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.dropout = config.dropout
        self.attention = MultiheadAttention(config.dim, config.num_heads, dropout=config.attention_dropout)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config)
        self.final_norm = nn.LayerNorm(config.dim)

    def forward(
        self, states: Float[Tensor, "batch position dim"], past: KeysValues | None = None
    ) -> tuple[Float[Tensor, "batch position dim"], KeysValues]:
        """States, and the keys and values of all positions so far; `past` are those of earlier positions."""
        inner = self.attention_norm(states) if self.norm_first else states
        own = self.attention.project_memory(inner)
        if past is not None:
            own = KeysValues(*(torch.cat(pair, dim=2) for pair in zip(past, own, strict=True)))
        attended = self.attention(inner, own, causal=True)
        states = self._add(states, attended.states, self.attention_norm)
        inner = self.final_norm(states) if self.norm_first else states
        return self._add(states, self.feed_forward(inner), self.final_norm), own

    def _add(self, states: Tensor, update: Tensor, norm: nn.LayerNorm) -> Tensor:
        states = states + dropout(update, self.dropout, self.training)
        return states if self.norm_first else norm(states)


@dataclass
class CausalCache:
    """What incremental writing keeps: each layer's keys and values of what was written, a row a hypothesis."""

    pasts: list[KeysValues]
    length: int = 0

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Keep the hypotheses `rows` names, in that order; a row may be named several times or not at all."""
        self.pasts = [KeysValues(*(part.index_select(0, rows) for part in past)) for past in self.pasts]


class CausalStack(nn.Module):
    """Causal layers; `recomputes` is as in `EncoderStack`.

    Args:
        config: sizes and rates; without relative positions, whatever it says of them.
        has_final_norm: normalise the output of a pre-norm stack.
    """

    def __init__(self, config: StackConfig, *, has_final_norm: bool = True) -> None:
        super().__init__()
        self.layerdrop = config.layerdrop
        self.recomputes = False
        self.layers = nn.ModuleList(CausalLayer(config) for _ in range(config.num_layers))
        has_norm = config.norm_first and has_final_norm
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps) if has_norm else None

    def forward(self, states: Float[Tensor, "batch position dim"]) -> Float[Tensor, "batch position dim"]:
        """All positions at once. Padding at the end is seen by none before it, so there is no mask."""
        states = sum_precision(states)
        for layer in self.layers:
            if not is_dropped(self.layerdrop, self.training):
                states, _ = run_part(self.recomputes, layer, states)
        return self._finish(states)

    def start_cache(self, num_rows: int) -> CausalCache:
        """The cache before the first position."""
        pasts = []
        for layer in self.layers:
            attention = cast(CausalLayer, layer).attention
            empty = attention.key.weight.new_zeros(num_rows, attention.num_heads, 0, attention.head_dim)
            pasts.append(KeysValues(empty, empty))
        return CausalCache(pasts)

    def step(
        self, states: Float[Tensor, "batch position dim"], cache: CausalCache
    ) -> Float[Tensor, "batch position dim"]:
        """The positions after those in `cache`, which are put there."""
        states = sum_precision(states)
        for index, layer in enumerate(self.layers):
            states, cache.pasts[index] = layer(states, cache.pasts[index])
        cache.length += states.shape[1]
        return self._finish(states)

    def _finish(self, states: Tensor) -> Tensor:
        return states if self.norm is None else self.norm(states)
