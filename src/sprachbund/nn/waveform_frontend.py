"""The strided convolutions that turn a waveform into frames (wav2vec 2.0, section 2; HuBERT, section II-A)."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.config import Size
from sprachbund.lengths import frames_from_samples, padding_mask_from_lengths
from sprachbund.nn.convolution import convolve
from sprachbund.nn.precision import compute_dtype, single_precision, split_product
from sprachbund.shapes import Float, Int, Tensor

ConvolutionShape = tuple[Size, Size, Size]  # channels, kernel, stride
FrontendNorm = Literal["group", "layer"]
CACHED_FRAMES = 2048
"""Frames of the first layer that are computed at a time where no gradient is wanted."""


def normalized_filters(
    frames: Float[Tensor, "batch frame kernel"],
    lengths: Int[Tensor, " batch"],
    filters: Float[Tensor, "channel kernel"],
    norm: nn.LayerNorm,
) -> tuple[Float[Tensor, "batch channel kernel"], Float[Tensor, "batch channel"]]:
    """Filters of each row, and what is to be added, that do what `filters` and a group norm of each channel would.

    Mean and variance of every channel over the valid frames follow from mean and covariance of the samples in a frame,
    so the largest tensor of a model is written once, normalised, and never read to be measured. Double precision,
    because a filter may answer to differences a thousand times smaller than the samples.

    Args:
        frames: samples of each frame.
        lengths: valid frames; what is after them is not seen.
        filters: a row a channel. Their own bias would not change anything.
        norm: weight, bias and epsilon of the norm.
    """
    # Apple's processors have no double precision.
    precise = torch.float32 if frames.device.type == "mps" else torch.float64
    num_frames = frames.shape[1]
    valid = ~padding_mask_from_lengths(lengths.clamp(max=num_frames), num_frames)
    share = valid.to(precise) / lengths.clamp(min=1, max=num_frames)[:, None]  # -> batch frame, rows sum to one
    with single_precision(frames.device):
        samples, kernels = frames.to(precise), filters.to(precise)
        mean = share[:, None] @ samples  # -> batch 1 kernel
        centred = samples - mean
        covariance = centred.transpose(1, 2) @ (centred * share[:, :, None])  # -> batch kernel kernel
        variance = ((kernels @ covariance) * kernels).sum(dim=2)  # -> batch channel
        scale = norm.weight.to(precise) * torch.rsqrt(variance + norm.eps)
        scaled = kernels * scale[:, :, None]
        offset = norm.bias.to(precise) - (scaled @ mean.transpose(1, 2))[:, :, 0]
    return scaled.float(), offset.float()


class FrontendBlock(nn.Module):
    """One convolution, its norm if it has one, and GELU.

    Args:
        num_inputs: channels that come in; 1 for the block that reads the waveform.
        shape: channels that go out, kernel and stride.
        norm: over time ("group", only where the waveform comes in), over channels ("layer"), or none.
        bias: whether the convolution has a bias.
    """

    def __init__(self, num_inputs: int, shape: ConvolutionShape, *, norm: FrontendNorm | None, bias: bool) -> None:
        super().__init__()
        channels, self.kernel, self.stride = shape
        self.convolution = nn.Conv1d(num_inputs, channels, self.kernel, stride=self.stride, bias=bias)
        nn.init.kaiming_normal_(self.convolution.weight)
        self.norm_kind = norm
        self.norm = None if norm is None else nn.LayerNorm(channels)

    def forward(self, values: Float[Tensor, "batch frame channel"]) -> Float[Tensor, "batch step output"]:
        """The frames are a multiple of the stride."""
        values = convolve(values, self.convolution.weight, self.stride)
        if self.convolution.bias is not None:
            values = values + self.convolution.bias.to(values.dtype)
        return F.gelu(values if self.norm is None else self.norm(values))

    def listen(
        self, waveforms: Float[Tensor, "batch sample"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frame channel"]:
        """What `forward` would make of waveforms; `lengths` are valid frames, which alone a group norm sees."""
        frames = waveforms.unfold(1, self.kernel, self.stride)  # -> batch frame kernel
        filters, offset = self.convolution.weight[:, 0].float(), self.convolution.bias
        if self.norm is not None and self.norm_kind == "group":
            filters, offset = normalized_filters(frames, lengths, filters, self.norm)
        if offset is not None:
            # A column of ones saves the pass that a bias would take.
            frames = F.pad(frames, (0, 1), value=1.0)
            filters = torch.cat([filters, offset.float()[..., None]], dim=-1)
        learns = torch.is_grad_enabled() and (filters.requires_grad or waveforms.requires_grad)
        if learns or torch.compiler.is_compiling():
            return self._filter(frames, filters)
        # A few frames at a time, which stay in the cache from product to activation.
        batch, num_frames, _ = frames.shape
        dtype = compute_dtype(self.convolution.weight)
        result = frames.new_empty(batch, num_frames, filters.shape[-2], dtype=dtype)
        step = -(-CACHED_FRAMES // batch)
        for start in range(0, num_frames, step):
            result[:, start : start + step] = self._filter(frames[:, start : start + step], filters)
        return result

    def _filter(
        self, frames: Float[Tensor, "batch frame kernel"], filters: Float[Tensor, "*batch channel kernel"]
    ) -> Float[Tensor, "batch frame channel"]:
        values = split_product(frames, filters.transpose(-1, -2), compute_dtype(self.convolution.weight))
        return F.gelu(self.norm(values) if self.norm is not None and self.norm_kind == "layer" else values)


class WaveformFrontend(nn.Module):
    """A stack of strided convolutions.

    Args:
        layers: channels, kernel and stride of each.
        norm: "group" normalises every channel over time in the first layer only; "layer" normalises the channels of
            every frame in every layer.
        bias: whether convolutions have a bias.
        sees_padding: let the group norm's statistics include padding, as the original implementations do.
    """

    def __init__(
        self, layers: Sequence[ConvolutionShape], *, norm: FrontendNorm, bias: bool, sees_padding: bool = False
    ) -> None:
        super().__init__()
        self.sees_padding = sees_padding
        self.strides = tuple((kernel, stride) for _, kernel, stride in layers)
        blocks = []
        num_inputs = 1
        for index, shape in enumerate(layers):
            block_norm: FrontendNorm | None = norm if norm == "layer" or index == 0 else None
            blocks.append(FrontendBlock(num_inputs, shape, norm=block_norm, bias=bias))
            num_inputs = shape[0]
        self.blocks = nn.ModuleList(blocks)

    def forward(
        self, waveforms: Float[Tensor, "batch sample"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frame channel"]:
        """Frames of 16 kHz waveforms with `lengths` valid samples each; padded frames hold no meaning."""
        num_samples = waveforms.shape[1]
        if self.sees_padding:
            lengths = torch.full_like(lengths, num_samples)
        values = self._first(self._pad(waveforms), frame_lengths(lengths, self.strides[:1]))
        for block in self.blocks[1:]:
            values = block(values)
        return values[:, : frames_from_samples(num_samples, self.strides)]

    def _first(self, waveforms: Tensor, lengths: Tensor) -> Tensor:
        first = self.blocks[0]
        assert isinstance(first, FrontendBlock)
        return first.listen(waveforms, lengths)

    def _pad(self, waveforms: Tensor) -> Tensor:
        """As many samples as give the first layer whole rows of frames for all later ones."""
        (kernel, stride), later = self.strides[0], math.prod(stride for _, stride in self.strides[1:])
        num_frames = frames_from_samples(waveforms.shape[1], self.strides[:1])
        whole = -(-num_frames // later) * later
        return F.pad(waveforms, (0, (whole - 1) * stride + kernel - waveforms.shape[1]))


def frame_lengths(sample_lengths: Int[Tensor, " batch"], strides: Sequence[tuple[int, int]]) -> Int[Tensor, " batch"]:
    """`lengths.frames_from_samples` for a batch."""
    lengths = sample_lengths
    for kernel, stride in strides:
        lengths = ((lengths - kernel).div(stride, rounding_mode="floor") + 1).clamp(min=0)
    return lengths


def frame_lengths_of_padding_mask(
    sample_lengths: Int[Tensor, " batch"], num_samples: int, num_frames: int
) -> Int[Tensor, " batch"]:
    """The original rule: the samples are cut into `num_frames` equal runs, and a frame is valid if its run has one.

    It differs from the convolutions' own count, and depends on how far the batch is padded.
    """
    run = num_samples // num_frames
    return (sample_lengths + run - 1).div(run, rounding_mode="floor").clamp(max=num_frames)
