"""Decoder layers and stacks: causal attention, attention to a memory, and incremental decoding."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from sprachbund.nn.attention import Attended, KeysValues, MultiheadAttention, PastDistances
from sprachbund.nn.decoder_cache import DecoderCache
from sprachbund.nn.dropout import dropout
from sprachbund.nn.packed_linear import packed
from sprachbund.nn.positions import RelativePositions
from sprachbund.nn.precision import compute_dtype, sum_precision
from sprachbund.nn.transformer import FeedForward, StackConfig, is_dropped, run_part
from sprachbund.shapes import Bool, Float, Tensor


class PastView(NamedTuple):
    """What the rows see of earlier positions in one step."""

    mask: Bool[Tensor, "utterance 1 slot_position entry"] | None
    """True where a row sees an entry; None where all see all."""
    relative: PastDistances | None


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to a memory, feed-forward.

    `relative_norm` is what it is in `EncoderLayer`; it exists in a stack with relative positions.
    """

    def __init__(self, config: StackConfig, memory_dim: int, *, is_relative: bool = False) -> None:
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
        self.relative_norm: nn.LayerNorm | None = None
        if is_relative:
            self.relative_norm = nn.LayerNorm(config.dim // config.num_heads)
            self.relative_norm.requires_grad_(config.norm_first)

    def forward(
        self,
        states: Float[Tensor, "batch position dim"],
        memory: KeysValues,
        memory_padding: Bool[Tensor, "batch frame"] | None,
        *,
        padding_mask: Bool[Tensor, "batch position"] | None = None,
        relative_table: Float[Tensor, "distance head_dim"] | None = None,
        need_weights: bool = False,
    ) -> tuple[Float[Tensor, "batch position dim"], Float[Tensor, "batch head position frame"] | None]:
        """All positions at once: states, and weights of the memory if wanted."""

        def look_back(inner: Tensor) -> Attended:
            own = self.attention.project_memory(inner)
            attended: Attended = self.attention(
                inner, own, padding_mask=padding_mask, causal=True, relative_table=self._normalized(relative_table)
            )
            return attended

        return self._run(
            states,
            look_back,
            partial(self.memory_attention, memory=memory, padding_mask=memory_padding, need_weights=need_weights),
        )

    def step(
        self,
        states: Float[Tensor, "row position dim"],
        cache: DecoderCache,
        index: int,
        past: PastView,
        *,
        need_weights: bool = False,
    ) -> tuple[Float[Tensor, "row position dim"], Float[Tensor, "row head position frame"] | None]:
        """The positions after those in `cache`, of which this is the layer `index`."""
        groups, relative = cache.groups, past.relative
        if relative is not None:
            table = self._normalized(relative.table)
            assert table is not None
            relative = relative._replace(table=table)

        def look_back(inner: Tensor) -> Attended:
            entries = cache.past.append(index, self.attention.project_memory(inner))
            return self.attention.attend_together(inner, entries, past.mask, groups, relative=relative)

        def look_at_memory(inner: Tensor) -> Attended:
            memory, mask = cache.memories[index], cache.memory_mask
            return self.memory_attention.attend_together(inner, memory, mask, groups, need_weights=need_weights)

        return self._run(states, look_back, look_at_memory)

    def _run(
        self,
        states: Tensor,
        look_back: Callable[[Tensor], Attended],
        look_at_memory: Callable[[Tensor], Attended],
    ) -> tuple[Tensor, Tensor | None]:
        inner = self.attention_norm(states) if self.norm_first else states
        states = self._add(states, look_back(inner).states, self.attention_norm)
        inner = self.memory_attention_norm(states) if self.norm_first else states
        looked = look_at_memory(inner)
        states = self._add(states, looked.states, self.memory_attention_norm)
        inner = self.final_norm(states) if self.norm_first else states
        states = self._add(states, self.feed_forward(inner), self.final_norm)
        return states, looked.weights

    def project_memory(self, memory: Float[Tensor, "batch frame memory"]) -> KeysValues:
        """Keys and values of the memory, which all positions attend to."""
        return self.memory_attention.project_memory(memory)

    def _normalized(self, table: Tensor | None) -> Tensor | None:
        """The vectors of relative positions as this layer wants them."""
        if table is None or self.relative_norm is None or not self.norm_first:
            return table
        normalized: Tensor = self.relative_norm(table)
        return normalized

    def _add(self, states: Tensor, update: Tensor, norm: nn.LayerNorm) -> Tensor:
        states = states + dropout(update, self.dropout, self.training)
        return states if self.norm_first else norm(states)


class Decoded(NamedTuple):
    """States of the decoder, and each layer's weights over the memory if they were wanted."""

    states: Float[Tensor, "batch position dim"]
    weights: tuple[Float[Tensor, "batch head position frame"], ...]


class DecoderStack(nn.Module):
    """Decoder layers; a pre-norm stack normalises its output. `recomputes` is as in `EncoderStack`.

    Args:
        config: sizes and rates.
        memory_dim: width of the encoder's states.
        unused_head_dim: head width of the relative-position parameters that released weights hold and no one uses;
            None for a stack without them. They are frozen.
        is_relative: whether positions look back by the relative positions of `config`; else what that says of them is
            not heeded.
    """

    def __init__(
        self, config: StackConfig, memory_dim: int, *, unused_head_dim: int | None = None, is_relative: bool = False
    ) -> None:
        super().__init__()
        self.layerdrop = config.layerdrop
        self.recomputes = False
        max_distance = config.max_relative_distance if is_relative else None
        self.layers = nn.ModuleList(
            DecoderLayer(config, memory_dim, is_relative=max_distance is not None) for _ in range(config.num_layers)
        )
        self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps) if config.norm_first else None
        self.relative: RelativePositions | None = None
        if max_distance is not None:
            self.relative = RelativePositions(max_distance, config.dim // config.num_heads)
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
        table = None if self.relative is None else self.relative.table.weight
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
                table,
            )
            weights.append(looked)
        return Decoded(self._finish(states), tuple(weights) if need_weights else ())

    @torch.no_grad()
    def start_cache(
        self, memory: Float[Tensor, "batch frame memory"], memory_padding: Bool[Tensor, "batch frame"] | None
    ) -> DecoderCache:
        """The cache before the first position, for weights and a precision that stay as they are now."""
        memory = memory.to(compute_dtype(memory))
        projected = [cast(DecoderLayer, layer).project_memory(memory) for layer in self.layers]
        # Each head's keys in one piece: they are read in every step.
        memories = [KeysValues(keys.contiguous(), values.contiguous()) for keys, values in projected]
        return DecoderCache([packed(layer) for layer in self.layers], memories, memory_padding)

    @torch.no_grad()
    def step(
        self, states: Float[Tensor, "row position dim"], cache: DecoderCache, *, need_weights: bool = False
    ) -> Decoded:
        """Decode the positions after those in `cache`, and put them there. No gradients."""
        weights = []
        states = sum_precision(states)
        mask, relative = cache.past.begin(states.shape[1]), None
        if self.relative is not None:
            relative = PastDistances(cache.past.distances(), self.relative.table.weight)
        past = PastView(mask, relative)
        for index, layer in enumerate(cache.layers):
            states, looked = cast(DecoderLayer, layer).step(states, cache, index, past, need_weights=need_weights)
            weights.append(looked)
        cache.past.finish()
        return Decoded(self._finish(states), cast(Any, tuple(weights)) if need_weights else ())

    def _finish(self, states: Tensor) -> Tensor:
        return states if self.norm is None else self.norm(states)


def _decode(
    layer: DecoderLayer,
    states: Tensor,
    memory: Tensor,
    memory_padding: Tensor | None,
    relative_table: Tensor | None,
    **options: Any,
) -> tuple[Tensor, Any]:
    result: tuple[Tensor, Any] = layer(
        states, layer.project_memory(memory), memory_padding, relative_table=relative_table, **options
    )
    return result
