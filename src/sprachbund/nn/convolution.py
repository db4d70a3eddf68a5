"""Convolutions over frames: strided ones as products of matrices, and wide ones by Fourier transforms."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import torch
from torch.nn import functional as F

from sprachbund.nn.precision import compute_dtype, single_precision
from sprachbund.shapes import Float, Shaped, Tensor


class _Part(NamedTuple):
    """Taps of the kernel that lie in the same row, once the frames are folded into rows of a stride each."""

    shift: int  # rows between the one they lie in and the one they belong to
    width: int  # columns of the row they take
    first: int  # column of the folded weight they begin at


def _parts(kernel: int, stride: int, channels: int, num_rows: int) -> Iterator[_Part]:
    for shift, tap in enumerate(range(0, min(kernel, num_rows * stride), stride)):
        yield _Part(shift, (min(tap + stride, kernel) - tap) * channels, tap * channels)


class _FoldedConvolution(torch.autograd.Function):
    """Rows of `stride` frames each, times the taps that fall in them; written out because views add up in place."""

    @staticmethod
    def forward(context: Any, rows: Tensor, folded: Tensor, parts: tuple[_Part, ...]) -> Tensor:
        context.save_for_backward(rows, folded)
        context.parts = parts
        result = rows.new_empty(rows.shape[0], folded.shape[0])
        for shift, width, first in parts:
            target, weight = result[: len(rows) - shift], folded[:, first : first + width].T
            if shift:
                target.addmm_(rows[shift:, :width], weight)
            else:
                torch.mm(rows[:, :width], weight, out=target)
        return result

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor | None, Tensor | None, None]:
        (gradient,) = gradients
        rows, folded = context.saved_tensors
        gradient = gradient.contiguous()
        for_rows = torch.zeros_like(rows) if context.parts[0].width < rows.shape[1] else torch.empty_like(rows)
        for_folded = torch.zeros_like(folded)
        for shift, width, first in context.parts:
            inner, weight = gradient[: len(rows) - shift], folded[:, first : first + width]
            target = for_rows[shift:, :width]
            if shift:
                target.addmm_(inner, weight)
            else:
                target.copy_(inner @ weight)
            for_folded[:, first : first + width] = inner.T @ rows[shift:, :width]
        return for_rows, for_folded, None


def convolve(
    values: Float[Tensor, "batch frame channel"], weight: Float[Tensor, "output channel kernel"], stride: int
) -> Float[Tensor, "batch step output"]:
    """A convolution with a stride over frames, in the type that automatic mixed precision asks for.

    The frames of a batch are taken as one sequence and folded into rows of `stride` frames. So what a step sees beyond
    its utterance's end belongs to the next one: such steps hold no meaning.

    Args:
        values: a multiple of `stride` frames.
        weight: as `nn.Conv1d` holds it.
        stride: frames between two steps.
    """
    batch, num_frames, channels = values.shape
    num_outputs, _, kernel = weight.shape
    dtype = compute_dtype(values)
    folded = weight.to(dtype).transpose(1, 2).reshape(num_outputs, kernel * channels)
    rows = values.to(dtype).reshape(batch * num_frames // stride, stride * channels)
    with single_precision(values.device):
        result = _FoldedConvolution.apply(rows, folded, tuple(_parts(kernel, stride, channels, len(rows))))  # type: ignore[no-untyped-call]
    return cast(Tensor, result).view(batch, num_frames // stride, num_outputs)


def filter_spectrum(
    weight: Float[Tensor, "output channel_of_group kernel"], groups: int
) -> Shaped[Tensor, "frequency group channel_of_group output_of_group"]:
    """Fourier transform of the filters of a wide convolution, as `convolve_by_spectrum` takes it."""
    num_outputs, width, kernel = weight.shape
    # Conjugate, because what networks call a convolution is a correlation.
    filters = torch.fft.rfft(weight, n=2 * kernel).conj()
    spectrum: Tensor = filters.view(groups, num_outputs // groups, width, -1).permute(3, 0, 2, 1).contiguous()
    return spectrum


def convolve_by_spectrum(
    values: Float[Tensor, "batch frame channel"],
    spectrum: Shaped[Tensor, "frequency group channel_of_group output_of_group"],
) -> Float[Tensor, "batch frame output"]:
    """A wide convolution over frames, its output centred as ``padding=kernel // 2`` does.

    The frames are cut into overlapping blocks of twice the kernel, whose Fourier transforms are multiplied with the
    kernel's (overlap-save; Oppenheim & Schafer, Discrete-Time Signal Processing, section 8.7). Faster than the plain
    way for many frames, and the same up to the rounding of single precision.
    """
    (batch, num_frames, _), (num_frequencies, groups, width, _) = values.shape, spectrum.shape
    size = 2 * (num_frequencies - 1)  # of a block
    kernel = size // 2
    step = kernel + 1  # frames that a block adds to the output
    num_blocks = -(-num_frames // step)
    left = kernel // 2
    padded = F.pad(values, (0, 0, left, num_blocks * step + kernel - 1 - num_frames - left))
    blocks = torch.fft.rfft(padded.unfold(1, size, step))  # -> batch block channel frequency
    blocks = blocks.view(batch * num_blocks, groups, width, -1).permute(3, 1, 0, 2)  # -> frequency group block channel
    products = (blocks @ spectrum).permute(2, 1, 3, 0)  # -> block group output frequency
    signals: Tensor = torch.fft.irfft(products, n=size)[..., :step]  # the rest has wrapped around
    rows = signals.reshape(batch, num_blocks, -1, step).transpose(2, 3)
    return rows.reshape(batch, num_blocks * step, -1)[:, :num_frames]
