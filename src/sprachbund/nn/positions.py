"""Where in the sequence: sinusoids of two layouts, convolutional positions, and relative-position tables."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn.convolution import convolve_by_spectrum, filter_spectrum
from sprachbund.nn.dropout import dropout
from sprachbund.nn.precision import compute_dtype
from sprachbund.shapes import Bool, Float, Int, Tensor


def blocked_sinusoids(positions: Int[Tensor, " position"], dim: int) -> Float[Tensor, "position dim"]:
    """All sines, then all cosines; wavelengths are spread over ``dim / 2 - 1`` steps (tensor2tensor's layout)."""
    half = dim // 2
    steps = torch.arange(half, device=positions.device, dtype=torch.float32)
    frequencies = torch.exp(steps * -(math.log(10000.0) / max(half - 1, 1)))
    angles = positions.float()[:, None] * frequencies[None]
    return F.pad(torch.cat([angles.sin(), angles.cos()], dim=1), (0, dim - 2 * half))


def interleaved_sinusoids(positions: Int[Tensor, " position"], dim: int) -> Float[Tensor, "position dim"]:
    """Sine and cosine by turns (Attention Is All You Need, section 3.5)."""
    steps = torch.arange(0, dim, 2, device=positions.device, dtype=torch.float32)
    angles = positions.float()[:, None] * torch.exp(steps * -(math.log(10000.0) / dim))[None]
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :dim]


class ScaledSinusoids(nn.Module):
    """Adds interleaved sinusoids times a learned scalar, then dropout (Li et al. 2019, Neural Speech Synthesis with
    Transformer Network, section 3.2).

    Args:
        dropout: of the sum.
        initial_scale: the scalar's first value; None for the unscaled kind, which multiplies its input by ``sqrt(dim)``
            and learns nothing.
    """

    def __init__(self, dropout: float, *, initial_scale: float | None = 1.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.initial_scale = initial_scale
        self.scale = None if initial_scale is None else nn.Parameter(torch.tensor(float(initial_scale)))

    def forward(
        self, states: Float[Tensor, "batch position dim"], *, first: int = 0
    ) -> Float[Tensor, "batch position dim"]:
        """`first` is the position of the first state, when earlier ones are cached."""
        length, dim = states.shape[1], states.shape[2]
        sinusoids = interleaved_sinusoids(torch.arange(first, first + length, device=states.device), dim)
        if self.scale is None:
            states = states * math.sqrt(dim) + sinusoids.to(states.dtype)
        else:
            states = states + self.scale * sinusoids.to(states.dtype)
        return dropout(states, self.dropout, self.training)


class ConvolutionalPositions(nn.Module):
    """A wide grouped convolution whose activated output is added to its input (wav2vec 2.0, section 2).

    The weight is normalised over all but its last dimension (one gain a kernel tap), as the released weights hold it.
    The caller zeroes padding, so that an utterance's positions do not depend on what follows it.
    """

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.weight_direction = nn.Parameter(torch.empty(dim, dim // groups, kernel))
        self.weight_gain = nn.Parameter(torch.empty(1, 1, kernel))
        self.bias = nn.Parameter(torch.zeros(dim))
        self._kept: tuple[Tensor, Tensor, Tensor] | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal weights with variance ``4 / (kernel * dim)``; the gains start as the directions' norms."""
        dim, _, kernel = self.weight_direction.shape
        nn.init.normal_(self.weight_direction, std=math.sqrt(4.0 / (kernel * dim)))
        nn.init.zeros_(self.bias)
        with torch.no_grad():
            self.weight_gain.copy_(self.weight_direction.norm(dim=(0, 1), keepdim=True))

    def forward(self, states: Float[Tensor, "batch frame dim"]) -> Float[Tensor, "batch frame dim"]:
        """What is to be added to `states`."""
        if self._is_long(states):
            return F.gelu(convolve_by_spectrum(states, self._spectrum()) + self.bias)
        weight = self._weight()
        padding = weight.shape[2] // 2
        values = F.conv1d(states.transpose(1, 2), weight, self.bias, padding=padding, groups=self.groups)
        values = values[:, :, : states.shape[1]]  # an even kernel yields one frame too many
        return F.gelu(values).transpose(1, 2)

    def _weight(self) -> Float[Tensor, "output channel kernel"]:
        # The same as `norm`, which takes five times as long over these dimensions.
        norm = self.weight_direction.flatten(0, 1).square().sum(dim=0).sqrt()
        return self.weight_direction * (self.weight_gain / norm)

    def _spectrum(self) -> Tensor:
        """Of the weight; without gradients kept until the weight changes, because it costs more than its use."""
        if torch.is_grad_enabled():
            return filter_spectrum(self._weight(), self.groups)
        parts = (self.weight_direction, self.weight_gain)
        if self._kept is None or not all(map(torch.equal, parts, self._kept[:2])):
            direction, gain = (part.detach().clone() for part in parts)
            self._kept = (direction, gain, filter_spectrum(self._weight(), self.groups))
        return self._kept[2]

    def _is_long(self, states: Float[Tensor, "batch frame dim"]) -> bool:
        """Whether the way by Fourier transforms is the faster one: measured on processors, in float32."""
        is_plain = states.device.type == "cpu" and compute_dtype(states) == self.weight_gain.dtype == torch.float32
        factor = 5 if torch.is_grad_enabled() else 2  # where the spectrum is made each time
        num_frames = states.shape[0] * states.shape[1]
        return is_plain and not torch.compiler.is_compiling() and num_frames > factor * self.weight_gain.shape[2]


class StackedPositions(nn.Module):
    """Several grouped convolutions, one after the other, with a norm that learns nothing and GELU after each.

    What the audio model of data2vec (Baevski et al. 2022) has in the place of `ConvolutionalPositions`. Each
    convolution would fill padding with something that the next one sees, so it is zeroed before each.
    """

    def __init__(self, dim: int, kernel: int, groups: int, depth: int) -> None:
        super().__init__()
        self.dim = dim
        self.convolutions = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups) for _ in range(depth)
        )

    def forward(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, "batch frame dim"]:
        """What is to be added to `states`; at padding it holds no meaning."""
        num_frames = states.shape[1]
        for convolution in self.convolutions:
            states = states.masked_fill(padding_mask[:, :, None], 0.0)
            values = convolution(states.transpose(1, 2)).transpose(1, 2)
            states = F.gelu(F.layer_norm(values[:, :num_frames], (self.dim,)))  # an even kernel yields one too many
        return states


class RelativePositions(nn.Module):
    """A table of vectors, one a distance, that queries are compared with (Shaw et al. 2018, section 3.2).

    Row ``clip(query - key, -max_distance, max_distance - 1) + max_distance`` belongs to a query and a key.
    """

    def __init__(self, max_distance: int, head_dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(2 * max_distance, head_dim)


def relative_bias(
    queries: Float[Tensor, "batch head query dim"], table: Float[Tensor, "distance dim"], num_keys: int, first: int
) -> Float[Tensor, "batch head query key"]:
    """What relative positions add to the attention logits.

    Each query is multiplied with the vectors of all distances that occur, and the rows are then shifted against each
    other by a change of view: no table of queries by keys by channels is ever made.

    Args:
        queries: already scaled by ``dim ** -0.5``.
        table: `RelativePositions`' vectors.
        num_keys: keys stand at positions 0, 1, ...
        first: position of the first query.
    """
    vectors = distance_vectors(table, queries.shape[2], num_keys, first)
    return shifted(queries @ vectors.to(queries.dtype).T, num_keys)


def distance_vectors(
    table: Float[Tensor, "distance dim"], num_queries: int, num_keys: int, first: int
) -> Float[Tensor, "width dim"]:
    """The vectors of all distances between queries at `first`, `first` + 1, ... and keys at 0, 1, ..., falling.

    Row c is that of distance (last query - c), so that what a query has of all keys is a run of `num_keys` rows, which
    begins one row later for the query before.
    """
    max_distance = table.shape[0] // 2
    last = first + num_queries - 1
    distances = last - torch.arange(num_keys + num_queries - 1, device=table.device)
    return table[distances.clamp(-max_distance, max_distance - 1) + max_distance]


def shifted(products: Float[Tensor, "batch head query width"], num_keys: int) -> Float[Tensor, "batch head query key"]:
    """A view of products with `distance_vectors` in which every query has its own run of them."""
    num_queries, width = products.shape[2:]
    if num_queries == 1:
        return products
    # Row r is read from column (num_queries - 1 - r) on: each row begins one column earlier than the last.
    flat = products.flatten(2)[:, :, num_queries - 1 : num_queries - 1 + num_queries * (width - 1)]
    return flat.view(*flat.shape[:2], num_queries, width - 1)[..., :num_keys]
