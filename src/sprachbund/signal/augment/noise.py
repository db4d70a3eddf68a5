"""Noise laid over speech at an exact signal-to-noise ratio: recorded, synthetic, or the babble of other speakers.

The ratio is that of the mean powers of the whole clips, pauses included. What would pass full scale is scaled down as a
whole, so nothing is ever clipped and the ratio stays.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import RandomState

from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE

NoiseKind = Literal["white", "pink", "brown"]

LOWEST_HERTZ = 20.0  # below, where nothing is heard, the spectra are flat

# How power falls with frequency f: not at all, as 1/f, as 1/f squared.
_EXPONENTS: dict[NoiseKind, float] = {"white": 0.0, "pink": 1.0, "brown": 2.0}


def add_noise(
    waveform: Float[Array, " sample"], noise: Float[Array, " sample"], decibels: float
) -> Float[Array, " sample"]:
    """The sum of both, after the noise is scaled so that the signal has `decibels` more power than it.

    Where one of the two is silent there is no such scale, and the waveform stays as it is.

    Args:
        waveform: the signal.
        noise: as long.
        decibels: the signal-to-noise ratio; negative where the noise is the louder.
    """
    signal_power, noise_power = power(waveform), power(noise)
    if signal_power == 0 or noise_power == 0:
        return waveform
    gain = np.sqrt(signal_power / noise_power) * 10 ** (-decibels / 20)
    return within_full_scale(waveform + gain * noise.astype(np.float64))


def synthetic_noise(num_samples: int, kind: NoiseKind, generator: RandomState) -> Float[Array, " sample"]:
    """Gaussian noise of mean power 1 whose spectrum falls as its kind says, from 20 Hz on.

    A single sample of pink or brown noise is silence.
    """
    size = 1 << (num_samples - 1).bit_length()  # a power of two is transformed fastest
    noise = generator.standard_normal(size)
    if exponent := _EXPONENTS[kind]:
        weights = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLING_RATE), LOWEST_HERTZ) ** (-exponent / 2)
        weights[0] = 0
        noise = np.fft.irfft(np.fft.rfft(noise) * weights, size)
    return unit_power(noise[:num_samples])


def babble(voices: Sequence[Float[Array, " _"]], num_samples: int, generator: RandomState) -> Float[Array, " sample"]:
    """Several voices at once, equally loud, each beginning at a place of its own; silent ones are not heard."""
    mixed = np.zeros(num_samples)
    for voice in voices:
        mixed += unit_power(fit_length(voice, num_samples, generator))
    return mixed.astype(np.float32)


def fit_length(waveform: Float[Array, " sample"], num_samples: int, generator: RandomState) -> Float[Array, " wanted"]:
    """A random part of a longer waveform; a shorter one over and over, from a random place on.

    An empty one becomes silence.
    """
    if len(waveform) == 0:
        return np.zeros(num_samples, dtype=np.float32)
    if len(waveform) >= num_samples:
        start = generator.randint(0, len(waveform) - num_samples + 1)
        return waveform[start : start + num_samples]
    return np.resize(np.roll(waveform, -generator.randint(0, len(waveform))), num_samples)


def change_volume(waveform: Float[Array, " sample"], decibels: float) -> Float[Array, " sample"]:
    """Louder or softer, but not beyond full scale."""
    return within_full_scale(waveform.astype(np.float64) * 10 ** (decibels / 20))


def power(waveform: Float[Array, " sample"]) -> float:
    """Mean square, in double precision; 0 where there is no sample."""
    samples = waveform.astype(np.float64)
    return float(samples @ samples) / max(1, len(samples))


def unit_power(waveform: Float[Array, " sample"]) -> Float[Array, " sample"]:
    """Scaled to mean power 1; silence stays."""
    mean = power(waveform)
    scaled: Array = waveform / np.sqrt(mean) if mean > 0 else np.zeros(len(waveform))
    return scaled.astype(np.float32)


def within_full_scale(waveform: Float[Array, " sample"]) -> Float[Array, " sample"]:
    """Scaled down as a whole where a sample lies beyond -1 .. 1."""
    peak = float(np.abs(waveform).max(initial=0.0))
    scaled: Array = waveform / peak if peak > 1 else waveform
    return scaled.astype(np.float32)
