"""The strided convolutions that turn a waveform into frames (wav2vec 2.0, section 2; HuBERT, section II-A)."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.nn.precision import single_precision
from sprachbund.shapes import Float, Int, Tensor

ConvolutionShape = tuple[int, int, int]  # channels, kernel, stride
FrontendNorm = Literal["group", "layer"]


def masked_channel_norm(
    values: Float[Tensor, "batch channel frame"],
    lengths: Int[Tensor, " batch"],
    weight: Float[Tensor, " channel"],
    bias: Float[Tensor, " channel"],
    eps: float = 1e-5,
) -> Float[Tensor, "batch channel frame"]:
    """Normalise each channel over the valid frames of its row: GroupNorm with one group a channel, blind to padding.

    Statistics are float32. What stands at padding afterwards has no meaning.
    """
    num_frames = values.shape[2]
    valid = ~padding_mask_from_lengths(lengths.clamp(max=num_frames), num_frames)
    share = valid.float() / lengths.clamp(min=1, max=num_frames)[:, None]  # -> batch frame, rows sum to one
    with single_precision(values.device):
        result: Tensor = _MaskedNorm.apply(values.float(), share, weight.float(), bias.float(), eps)  # type: ignore[no-untyped-call]
    return result.to(values.dtype)


class _MaskedNorm(torch.autograd.Function):
    """Written out because this is the largest tensor of a model: automatic differentiation takes twice the passes."""

    @staticmethod
    def forward(context: Any, values: Tensor, share: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        # A product with the shares is a weighted mean, and needs no masked copy of the values.
        centred = values - values @ share[:, :, None]
        variance = centred.square() @ share[:, :, None]  # -> batch channel 1
        inverse = torch.rsqrt(variance + eps)
        context.save_for_backward(centred, inverse, share, weight)
        return torch.addcmul(bias[None, :, None], centred, inverse * weight[None, :, None])

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None, Tensor, Tensor, None]:
        (gradient,) = gradients
        centred, inverse, share, weight = context.saved_tensors
        total = gradient.sum(dim=2, keepdim=True)
        # The sum over frames of gradient times value, as a product of rows and columns.
        product = (gradient[:, :, None] @ centred[:, :, :, None])[..., 0]  # -> batch channel 1
        scale = inverse * weight[None, :, None]
        # Through the mean and through the variance, in equal shares of the valid frames.
        common = torch.addcmul(scale * total, centred, scale * inverse.square() * product)
        inputs = torch.addcmul(gradient * scale, common, share[:, None], value=-1.0)
        return inputs, None, (product * inverse).sum(dim=(0, 2)), total.sum(dim=(0, 2)), None


class FrontendBlock(nn.Module):
    """One convolution, its norm if it has one, and GELU."""

    def __init__(self, num_inputs: int, shape: ConvolutionShape, *, norm: FrontendNorm | None, bias: bool) -> None:
        super().__init__()
        channels, kernel, stride = shape
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv1d(num_inputs, channels, kernel, stride=stride, bias=bias)
        nn.init.kaiming_normal_(self.convolution.weight)
        self.norm_kind = norm
        self.norm = None if norm is None else nn.LayerNorm(channels)

    def forward(
        self, values: Float[Tensor, "batch channel frame"], lengths: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch output step"]:
        """Lengths are those after this block's stride; without them the group norm sees padding too."""
        values = self.convolution(values)
        if self.norm is not None and self.norm_kind == "layer":
            # Norm and activation run along the last dimension of one copy, and the next convolution sees a view.
            return F.gelu(self.norm(values.transpose(1, 2))).transpose(1, 2)
        if self.norm is not None:
            weight, bias, eps = self.norm.weight, self.norm.bias, self.norm.eps
            if lengths is None:
                values = F.group_norm(values, values.shape[1], weight, bias, eps)
            else:
                values = masked_channel_norm(values, lengths, weight, bias, eps)
        return F.gelu(values)


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
        values = waveforms[:, None]  # -> batch 1 sample
        for block, (kernel, stride) in zip(self.blocks, self.strides, strict=True):
            lengths = ((lengths - kernel).div(stride, rounding_mode="floor") + 1).clamp(min=0)
            values = block(values, None if self.sees_padding else lengths)
        return values.transpose(1, 2)  # -> batch frame channel


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
