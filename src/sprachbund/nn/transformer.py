"""Transformer layers and stacks: pre- or post-norm, relative positions, layer drop, incremental decoding."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from sprachbund.config import Few, Positive, Probability, Size
from sprachbund.nn.attention import KeysValues, MultiheadAttention
from sprachbund.nn.dropout import dropout
from sprachbund.nn.positions import RelativePositions
from sprachbund.nn.precision import compute_dtype, sum_precision
from sprachbund.shapes import Bool, Float, Int, Tensor

Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "tanh", "linear"]


def _identity(values: Tensor) -> Tensor:
    return values


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
    "linear": _identity,
}


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """A stack of Transformer layers. The defaults are those of a 12-layer encoder of the base size."""

    dim: Size = 768
    """Width of the states."""
    ffn_dim: Size = 3072
    """Width inside the feed-forward parts."""
    num_layers: Few = 12
    """Layers of the stack."""
    num_heads: Size = 12
    """Attention heads of each layer."""
    norm_first: bool = False
    """Normalise the input of each part instead of its sum with the residual."""
    dropout: Probability = 0.1
    """Dropout of the result of each part."""
    attention_dropout: Probability = 0.1
    """Dropout of attention weights."""
    activation_dropout: Probability = 0.0
    """Dropout inside the feed-forward parts."""
    activation: Activation = "gelu"
    """Activation inside the feed-forward parts."""
    layerdrop: Probability = 0.05
    """Probability that a layer is skipped in training."""
    max_relative_distance: Size | None = 160
    """Distance beyond which relative positions are alike; None for a stack without them."""
    norm_eps: Positive = 1e-5
    """Added to the variance in the norm of the whole stack."""

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide dim ({self.dim})")


class FeedForward(nn.Module):
    """Two linear maps with an activation between."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.activate = _ACTIVATIONS[config.activation]
        self.dropout = config.activation_dropout
        self.inner = nn.Linear(config.dim, config.ffn_dim)
        self.outer = nn.Linear(config.ffn_dim, config.dim)

    def forward(self, states: Float[Tensor, "batch position dim"]) -> Float[Tensor, "batch position dim"]:
        """Works on each position alone."""
        inner = dropout(self.activate(self.inner(states)), self.dropout, self.training)
        outer: Tensor = self.outer(inner)
        return outer


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward (Attention Is All You Need, section 3.1).

    `relative_norm` normalises the relative-position vectors in the pre-norm kind. In the post-norm kind it is never
    used: it exists, frozen, because released weights hold it.
    """

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.norm_first = config.norm_first
        self.dropout = config.dropout
        self.attention = MultiheadAttention(config.dim, config.num_heads, dropout=config.attention_dropout)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.feed_forward = FeedForward(config)
        self.final_norm = nn.LayerNorm(config.dim)
        self.relative_norm: nn.LayerNorm | None = None
        if config.max_relative_distance is not None:
            self.relative_norm = nn.LayerNorm(config.dim // config.num_heads)
            self.relative_norm.requires_grad_(config.norm_first)

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None,
        relative_table: Float[Tensor, "distance head_dim"] | None,
    ) -> Float[Tensor, "batch frame dim"]:
        """One layer; `relative_table` is the stack's."""
        if self.norm_first:
            if relative_table is not None and self.relative_norm is not None:
                relative_table = self.relative_norm(relative_table)
            states = states + self._attend(self.attention_norm(states), padding_mask, relative_table)
            return states + self._drop(self.feed_forward(self.final_norm(states)))
        states = self.attention_norm(states + self._attend(states, padding_mask, relative_table))
        result: Tensor = self.final_norm(states + self._drop(self.feed_forward(states)))
        return result

    def _attend(self, states: Tensor, padding_mask: Tensor | None, relative_table: Tensor | None) -> Tensor:
        states = states.to(compute_dtype(states))  # once for all three projections
        memory = self.attention.project_memory(states)
        attended = self.attention(states, memory, padding_mask=padding_mask, relative_table=relative_table)
        return self._drop(attended.states)

    def _drop(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, self.training)


class EncoderStack(nn.Module):
    """Encoder layers with one relative-position table for all of them.

    A post-norm stack normalises its input, a pre-norm stack its output.

    Set `recomputes` to keep the inputs of each layer alone for the backward pass (Chen et al. 2016, Training Deep Nets
    with Sublinear Memory Cost).

    Args:
        config: sizes and rates.
        keeps_padding: leave states at padding as they come out, as the original implementations do; otherwise they
            are zero.
    """

    def __init__(self, config: StackConfig, *, keeps_padding: bool = False) -> None:
        super().__init__()
        self.norm_first, self.dropout, self.layerdrop = config.norm_first, config.dropout, config.layerdrop
        self.keeps_padding = keeps_padding
        self.recomputes = False
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_layers))
        self.relative: RelativePositions | None = None
        if config.max_relative_distance is not None:
            self.relative = RelativePositions(config.max_relative_distance, config.dim // config.num_heads)

    def forward(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Float[Tensor, "batch frame dim"]:
        """Encode; `padding_mask` is True at padding."""
        states = sum_precision(states)
        if not self.norm_first:
            states = self.norm(states)
        states = dropout(states, self.dropout, self.training)
        table = None if self.relative is None else self.relative.table.weight
        for layer in self.layers:
            if not _is_dropped(self.layerdrop, self.training):
                states = _run(self.recomputes, layer, states, padding_mask, table)
        if self.norm_first:
            states = self.norm(states)
        if padding_mask is not None and not self.keeps_padding:
            states = states.masked_fill(padding_mask[:, :, None], 0.0)
        return states


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
            if _is_dropped(self.layerdrop, self.training):
                continue
            states, looked = _run(
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


def _is_dropped(rate: float, training: bool) -> bool:
    return training and rate > 0.0 and bool(torch.rand(()) < rate)


def _decode(
    layer: DecoderLayer, states: Tensor, memory: Tensor, memory_padding: Tensor | None, **options: Any
) -> tuple[Tensor, Any]:
    states, _, looked = layer(states, layer.project_memory(memory), memory_padding, **options)
    return states, looked


def _run(recomputes: bool, part: Callable[..., Any], *inputs: Any) -> Any:
    """The result of a part of a stack. With `recomputes` its inputs are all that is kept for the backward pass, which
    then computes the part again, with the same dropout.
    """
    if recomputes and torch.is_grad_enabled():
        return checkpoint(part, *inputs, use_reentrant=False)
    return part(*inputs)
