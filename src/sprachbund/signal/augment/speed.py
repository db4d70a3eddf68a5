"""Faster and slower speech."""

import numpy as np

from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE, resample


def change_speed(waveform: Float[Array, " sample"], factor: float) -> Float[Array, " changed"]:
    """Played `factor` times as fast, so pitch and length change (Ko et al., 2015); ``round(samples / factor)`` samples.

    A factor of 1 gives the samples as they are. Resampling may overshoot full scale a little.
    """
    if factor == 1:
        return waveform
    num_samples = round(len(waveform) / factor)
    # What was recorded at the rate times the factor, were it played at the rate, is that much slower: undo it.
    changed: Array = resample(waveform, round(SAMPLING_RATE * factor, 3), SAMPLING_RATE)[:num_samples]
    return np.pad(changed, (0, num_samples - len(changed)))
