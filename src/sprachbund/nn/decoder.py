"""Decoder layers and stacks: causal attention, attention to a memory, and incremental decoding."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from sprachbund.nn.attention import KeysValues, MultiheadAttention
from sprachbund.nn.dropout import dropout
from sprachbund.nn.positions import RelativePositions
from sprachbund.nn.precision import compute_dtype, sum_precision
from sprachbund.nn.transformer import FeedForward, StackConfig, is_dropped, run_part
from sprachbund.shapes import Bool, Float, Int, Tensor


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to a memory, feed-forward."""

    def __init__(self, config: StackConfig, memory_dim: int) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.dropout = config.dropout
        rate = config.attention_dropout
        self.attention = MultiheadAttention(config.dim, config.num_heads, dropout=rate)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.memory_attention = MultiheadAttention(config.dim, config.num_heads, memory_dim=memory_dim, dropout=rate)
        self.memory_attention_norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config)
        self.final_norm = nn.LayerNorm(config.dim)

    def forward(
        self,
        states: Float[Tensor, "batch position dim"],
        memory: KeysValues,
        memory_padding: Bool[Tensor, "batch frame"] | None,
        *,
        padding_mask: Bool[Tensor, "batch position"] | None = None,
        past: KeysValues | None = None,
        need_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch position dim"], KeysValues, Float[Tensor, "batch head position frame"] | None]:
        """One layer: states, keys and values of all positions so far, weights of the memory if wanted."""
        inner = self.attention_norm(states) if self.norm_first else states
        own = self.attention.project_memory(inner)
        if past is not None:
            own = KeysValues(*(torch.cat(pair, dim=2) for pair in zip(past, own, strict=True)))
        attended = self.attention(inner, own, padding_mask=padding_mask, causal=True)
        states = self._add(states, attended.states, self.attention_norm)
        inner = self.memory_attention_norm(states) if self.norm_first else states
        looked = self.memory_attention(inner, memory, padding_mask=memory_padding, need_weights=need_weights)
        states = self._add(states, looked.states, self.memory_attention_norm)
        inner = self.final_norm(states) if self.norm_first else states
        states = self._add(states, self.feed_forward(inner), self.final_norm)
        return states, own, looked.weights

    def project_memory(self, memory: Float[Tensor, "batch frame memory"]) -> KeysValues:
        """Keys and values of the memory, which all positions attend to."""
        return self.memory_attention.project_memory(memory)

    def _add(self, states: Tensor, update: Tensor, norm: nn.LayerNorm) -> Tensor:
        states = states + dropout(update, self.dropout, self.training)
        return states if self.norm_first else norm(states)


@dataclass
class DecoderCache:
    """What incremental decoding keeps: each layer's keys and values, of the memory (computed once) and of its past."""

    memories: list[KeysValues]
    memory_padding: Bool[Tensor, "batch frame"] | None
    pasts: list[KeysValues]
    length: int = 0

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Keep the hypotheses `rows` names, in that order; a row may be named several times or not at all."""
        self.memories = [KeysValues(*(part.index_select(0, rows) for part in memory)) for memory in self.memories]
        self.pasts = [KeysValues(*(part.index_select(0, rows) for part in past)) for past in self.pasts]
        if self.memory_padding is not None:
            self.memory_padding = self.memory_padding.index_select(0, rows)


class Decoded(NamedTuple):
    """States of the decoder, and each layer's weights over the memory if they were wanted."""

    states: Float[Tensor, "batch position dim"]
    weights: tuple[Float[Tensor, "batch head position frame"], ...]


class DecoderStack(nn.Module):
    """Decoder layers; a pre-norm stack normalises its output. `recomputes` is as in `EncoderStack`.

    Args:
        config: sizes and rates; without relative positions, whatever it says of them.
        memory_dim: width of the encoder's states.
        unused_head_dim: head width of the relative-position parameters that released weights hold and no one uses;
            None for a stack without them. They are frozen.
    """

    def __init__(self, config: StackConfig, memory_dim: int, *, unused_head_dim: int | None = None) -> None:
        super().__init__()
        self.layerdrop = config.layerdrop
        self.recomputes = False
        self.layers = nn.ModuleList(DecoderLayer(config, memory_dim) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps) if config.norm_first else None
        if unused_head_dim is not None and config.max_relative_distance is not None:
            self.unused_relative = RelativePositions(config.max_relative_distance, unused_head_dim)
            head_dim = config.dim // config.num_heads
            self.unused_relative_norms = nn.ModuleList(nn.LayerNorm(head_dim) for _ in range(config.num_layers))
            self.unused_relative.requires_grad_(False)
            self.unused_relative_norms.requires_grad_(False)

    def forward(
        self,
        states: Float[Tensor, "batch position dim"],
        memory: Float[Tensor, "batch frame memory"],
        memory_padding: Bool[Tensor, "batch frame"] | None,
        *,
        padding_mask: Bool[Tensor, "batch position"] | None = None,
        need_weights: bool = False,
    ) -> Decoded:
        """Decode all positions at once. `padding_mask` hides positions from later ones; valid ones need it not."""
        weights = []
        states = sum_precision(states)
        memory = memory.to(compute_dtype(memory))  # once for all layers
        for layer in self.layers:
            if is_dropped(self.layerdrop, self.training):
                continue
            states, looked = run_part(
                self.recomputes,
                partial(_decode, padding_mask=padding_mask, need_weights=need_weights),
                layer,
                states,
                memory,
                memory_padding,
            )
            weights.append(looked)
        return Decoded(self._finish(states), tuple(weights) if need_weights else ())

    def start_cache(
        self, memory: Float[Tensor, "batch frame memory"], memory_padding: Bool[Tensor, "batch frame"] | None
    ) -> DecoderCache:
        """The cache before the first position."""
        memories = [cast(DecoderLayer, layer).project_memory(memory) for layer in self.layers]
        empty = [KeysValues(keys[:, :, :0], values[:, :, :0]) for keys, values in memories]
        return DecoderCache(memories=memories, memory_padding=memory_padding, pasts=empty)

    def step(
        self, states: Float[Tensor, "batch position dim"], cache: DecoderCache, *, need_weights: bool = False
    ) -> Decoded:
        """Decode the positions after those in `cache`, and put them there."""
        weights = []
        states = sum_precision(states)
        for index, layer in enumerate(self.layers):
            states, cache.pasts[index], looked = layer(
                states,
                cache.memories[index],
                cache.memory_padding,
                past=cache.pasts[index],
                need_weights=need_weights,
            )
            weights.append(looked)
        cache.length += states.shape[1]
        return Decoded(self._finish(states), tuple(weights) if need_weights else ())

    def _finish(self, states: Tensor) -> Tensor:
        return states if self.norm is None else self.norm(states)


def _decode(
    layer: DecoderLayer, states: Tensor, memory: Tensor, memory_padding: Tensor | None, **options: Any
) -> tuple[Tensor, Any]:
    states, _, looked = layer(states, layer.project_memory(memory), memory_padding, **options)
    return states, looked
