"""Encoder layers and stacks: pre- or post-norm, relative positions, layer drop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from sprachbund.config import Few, Positive, Probability, Size
from sprachbund.nn.attention import MultiheadAttention
from sprachbund.nn.dropout import dropout
from sprachbund.nn.gated_bias import BiasGate, DistanceBias, GatedBias
from sprachbund.nn.positions import RelativePositions
from sprachbund.nn.precision import compute_dtype, sum_precision
from sprachbund.shapes import Bool, Float, Tensor

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
    bias_buckets: Size | None = None
    """Groups of distances that have their own attention bias, which gates weigh; None for a stack without it."""
    max_bias_distance: Size = 800
    """Distance beyond which the bias is alike."""
    norm_eps: Positive = 1e-5
    """Added to the variance in the norm of the whole stack."""

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide dim ({self.dim})")
        if self.bias_buckets is None:
            return
        if self.max_relative_distance is not None:
            raise ValueError("bias_buckets and max_relative_distance cannot be used together")
        if not 4 <= self.bias_buckets < 4 * self.max_bias_distance:
            raise ValueError(
                f"bias_buckets ({self.bias_buckets}) must be four at least, and fewer than four times "
                f"max_bias_distance ({self.max_bias_distance})"
            )


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
        self.bias_gate: BiasGate | None = None
        if config.bias_buckets is not None:
            self.bias_gate = BiasGate(config.num_heads, config.dim // config.num_heads)

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None,
        relative_table: Float[Tensor, "distance head_dim"] | None,
        distance_bias: Float[Tensor, "head distance"] | None = None,
    ) -> Float[Tensor, "batch frame dim"]:
        """One layer; `relative_table` and `distance_bias` are the stack's."""
        if self.norm_first:
            if relative_table is not None and self.relative_norm is not None:
                relative_table = self.relative_norm(relative_table)
            inner = self.attention_norm(states)
            states = states + self._attend(inner, padding_mask, relative_table, distance_bias)
            return states + self._drop(self.feed_forward(self.final_norm(states)))
        states = self.attention_norm(states + self._attend(states, padding_mask, relative_table, distance_bias))
        result: Tensor = self.final_norm(states + self._drop(self.feed_forward(states)))
        return result

    def _attend(
        self, states: Tensor, padding_mask: Tensor | None, relative_table: Tensor | None, distance_bias: Tensor | None
    ) -> Tensor:
        states = states.to(compute_dtype(states))  # once for all three projections
        memory = self.attention.project_memory(states)
        gated = None
        if self.bias_gate is not None and distance_bias is not None:
            gated = GatedBias(distance_bias, self.bias_gate(states))
        attended = self.attention(
            states, memory, padding_mask=padding_mask, relative_table=relative_table, gated_bias=gated
        )
        return self._drop(attended.states)

    def _drop(self, states: Tensor) -> Tensor:
        return dropout(states, self.dropout, self.training)


class EncoderStack(nn.Module):
    """Encoder layers with one table of relative positions, or of biases by distance, for all of them.

    A post-norm stack normalises its input, a pre-norm stack its output.

    Set `recomputes` to keep the inputs of each layer alone for the backward pass (Chen et al. 2016, Training Deep Nets
    with Sublinear Memory Cost).

    Args:
        config: sizes and rates.
        keeps_padding: leave states at padding as they come out, as the original implementations do; otherwise they
            are zero.
        normalizes_input: whether a post-norm stack normalises its input; else what comes before it does.
    """

    def __init__(self, config: StackConfig, *, keeps_padding: bool = False, normalizes_input: bool = True) -> None:
        super().__init__()
        self.norm_first, self.dropout, self.layerdrop = config.norm_first, config.dropout, config.layerdrop
        self.keeps_padding = keeps_padding
        self.recomputes = False
        self.norm: nn.LayerNorm | None = None
        if config.norm_first or normalizes_input:
            self.norm = nn.LayerNorm(config.dim, eps=config.norm_eps)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_layers))
        self.relative: RelativePositions | None = None
        if config.max_relative_distance is not None:
            self.relative = RelativePositions(config.max_relative_distance, config.dim // config.num_heads)
        self.distance_bias: DistanceBias | None = None
        if config.bias_buckets is not None:
            self.distance_bias = DistanceBias(config.bias_buckets, config.max_bias_distance, config.num_heads)

    def forward(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Float[Tensor, "batch frame dim"]:
        """Encode; `padding_mask` is True at padding."""
        for after in self._through(states, padding_mask):
            states = after
        return self.finish(states, padding_mask)

    def states_after(
        self,
        layers: Sequence[int],
        states: Float[Tensor, "batch frame dim"],
        padding_mask: Bool[Tensor, "batch frame"] | None,
        *,
        finishes: bool = True,
    ) -> list[Float[Tensor, "batch frame dim"]]:
        """States after each of `layers`: 0 is what the first layer reads, the last one is what `forward` gives.

        Layers above the highest wanted one are not run. Unless the stack `finishes`, the last one is what its layer
        gives, without the norm of the whole stack.
        """
        found: dict[int, Tensor] = {}
        for number, after in enumerate(islice(self._through(states, padding_mask), max(layers) + 1)):
            if number in layers:
                is_last = finishes and number == len(self.layers)
                found[number] = self.finish(after, padding_mask) if is_last else self._hide(after, padding_mask)
        return [found[number] for number in layers]

    def _through(self, states: Tensor, padding_mask: Tensor | None) -> Iterator[Tensor]:
        """What the first layer reads, then the output of one layer after another."""
        states = sum_precision(states)
        if self.norm is not None and not self.norm_first:
            states = self.norm(states)
        states = dropout(states, self.dropout, self.training)
        yield states
        table = None if self.relative is None else self.relative.table.weight
        bias = None if self.distance_bias is None else self.distance_bias(states.shape[1])
        for layer in self.layers:
            if not is_dropped(self.layerdrop, self.training):
                states = run_part(self.recomputes, layer, states, padding_mask, table, bias)
            yield states

    def finish(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Float[Tensor, "batch frame dim"]:
        """What `forward` gives, from the states after the last layer."""
        if self.norm is not None and self.norm_first:
            states = self.norm(states)
        return self._hide(states, padding_mask)

    def _hide(self, states: Tensor, padding_mask: Tensor | None) -> Tensor:
        if padding_mask is None or self.keeps_padding:
            return states
        return states.masked_fill(padding_mask[:, :, None], 0.0)


def is_dropped(rate: float, training: bool) -> bool:
    """Whether a layer is skipped this time."""
    return training and rate > 0.0 and bool(torch.rand(()) < rate)


def run_part(recomputes: bool, part: Callable[..., Any], *inputs: Any) -> Any:
    """The result of a part of a stack. With `recomputes` its inputs are all that is kept for the backward pass, which
    then computes the part again, with the same dropout.
    """
    if recomputes and torch.is_grad_enabled():
        return checkpoint(part, *inputs, use_reentrant=False)
    return part(*inputs)
