"""How many frames a strided convolution stack yields, and the masks of lengths: the one place that knows."""

from collections.abc import Sequence

import torch

from sprachbund.shapes import Bool, Int, Tensor

# (kernel, stride) of the seven-layer waveform front-end that every model of the family shares (HuBERT, section II-A).
WAVEFORM_STRIDES: tuple[tuple[int, int], ...] = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


def frames_from_samples(num_samples: int, strides: Sequence[tuple[int, int]] = WAVEFORM_STRIDES) -> int:
    """Frames that samples yield: ``(num_samples - 80) // 320`` for the usual seven layers, never below 0."""
    length = num_samples
    for kernel, stride in strides:
        length = (length - kernel) // stride + 1 if length >= kernel else 0
    return length


def samples_per_frame(strides: Sequence[tuple[int, int]] = WAVEFORM_STRIDES) -> int:
    """Samples between two frames: the product of the strides (320 for the usual seven layers)."""
    product = 1
    for _, stride in strides:
        product *= stride
    return product


def padding_mask_from_lengths(lengths: Int[Tensor, " batch"], max_length: int) -> Bool[Tensor, "batch length"]:
    """True at padding."""
    return torch.arange(max_length, device=lengths.device)[None, :] >= lengths[:, None]
