"""SpecAugment: blocks of time and of frequency blotted out in log-mel or filterbank features (Park et al., 2019).

For models that read spectra. Models that read waveforms mask spans of frames and channels after their front-end, which
the ``masking`` of a recipe chooses.
"""

from dataclasses import dataclass

from numpy.random import RandomState

from sprachbund.shapes import Array, Float


@dataclass(frozen=True, kw_only=True)
class SpecAugment:
    """How many blocks, and how wide at most; the defaults are the paper's policy LD, without time warping."""

    frequency_masks: int = 2
    frequency_width: int = 27  # channels
    time_masks: int = 2
    time_width: int = 100  # frames
    time_share: float = 1.0  # of all frames, the widest that one time mask may be


def spec_augment(
    features: Float[Array, "frame channel"], config: SpecAugment, generator: RandomState
) -> Float[Array, "frame channel"]:
    """A copy whose masked blocks hold the mean of all values: 0 for features of mean 0, as in the paper.

    The width of each block is uniform from 0 to its limit, and then its place from all that fit.
    """
    masked = features.copy()
    num_frames, num_channels = features.shape
    if masked.size == 0:
        return masked
    mean = features.mean(dtype="float64")
    for _ in range(config.frequency_masks):
        start, end = _block(num_channels, config.frequency_width, generator)
        masked[:, start:end] = mean
    for _ in range(config.time_masks):
        start, end = _block(num_frames, min(config.time_width, int(config.time_share * num_frames)), generator)
        masked[start:end] = mean
    return masked


def _block(size: int, widest: int, generator: RandomState) -> tuple[int, int]:
    width = generator.randint(0, min(widest, size) + 1)
    start = generator.randint(0, size - width + 1)
    return start, start + width
