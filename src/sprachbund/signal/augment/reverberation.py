"""Speech as a room returns it: convolution with an impulse response, recorded or simulated."""

import numpy as np
from numpy.random import RandomState

from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.augment.noise import power, within_full_scale

_SILENCE_DECIBELS = 60.0  # what a decay time tells: how long sound takes to fall by this


def reverberate(waveform: Float[Array, " sample"], response: Float[Array, " tap"]) -> Float[Array, " sample"]:
    """The waveform heard through an impulse response, as long and with as much power as before.

    The highest peak of the response is taken for the direct sound and stands at time 0, so that the speech stays where
    it was. What rings on after the end is cut off. A silent response leaves the waveform as it is.
    """
    if not np.any(response) or not np.any(waveform):
        return waveform
    direct = int(np.abs(response).argmax())
    size = 1 << (len(waveform) + len(response) - 1).bit_length()
    spectrum = np.fft.rfft(waveform.astype(np.float64), size) * np.fft.rfft(response.astype(np.float64), size)
    heard = np.fft.irfft(spectrum, size)[direct : direct + len(waveform)]
    heard_power = power(heard)
    if heard_power == 0:
        return waveform
    return within_full_scale(heard * np.sqrt(power(waveform) / heard_power))


def simulated_response(
    decay: float, direct_decibels: float, generator: RandomState, sampling_rate: int = SAMPLING_RATE
) -> Float[Array, " tap"]:
    """The direct sound, then noise that decays exponentially: a room without any shape (Polack's model).

    Args:
        decay: seconds in which the reverberation falls by 60 decibels.
        direct_decibels: power of the direct sound over that of all the reverberation.
        generator: of the noise.
        sampling_rate: in hertz.
    """
    num_taps = max(2, round(decay * sampling_rate))
    envelope = 10 ** (-_SILENCE_DECIBELS / 20 * np.arange(num_taps) / num_taps)
    response: Array = generator.standard_normal(num_taps) * envelope
    response[0] = 0
    response *= 10 ** (-direct_decibels / 20) / np.sqrt(np.sum(response**2))
    response[0] = 1
    return response.astype(np.float32)
