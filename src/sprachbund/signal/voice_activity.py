"""Where there is speech: frames that are louder than the noise around them, or what WebRTC's detector calls speech."""

from itertools import pairwise
from typing import Literal

import numpy as np

from sprachbund.errors import RecipeError
from sprachbund.shapes import Array, Bool, Float
from sprachbund.signal.audio import SAMPLING_RATE

Detector = Literal["energy", "webrtc"]

FRAME = 320  # samples of a decision: 20 ms
SMOOTHED = 5  # frames whose levels are averaged, so that one click or one closed lip decides nothing
AROUND = 150  # frames before and after, among which the noise is looked for: three seconds
OVER_NOISE = 9.0  # decibels by which speech is louder than the noise
UNDER_SPEECH = 40.0  # decibels: what is quieter than the loudest around it by more is no speech
LOUDEST_NOISE = -30.0  # decibels below full scale: what is louder is taken for speech, as a long vowel without a pause
QUIETEST = -60.0  # decibels below full scale; what is quieter is silence
PAUSE = 0.3  # seconds: a shorter one belongs to the speech around it
SHORTEST = 0.1  # seconds: shorter speech is a click
PADDING = 0.15  # seconds that are kept before and after speech
STRICTNESS = 2  # of WebRTC's detector, 0 to 3


def speech_stretches(waveform: Float[Array, " sample"], detector: Detector = "energy") -> list[tuple[int, int]]:
    """First sample and the one after the last of each stretch of speech, in order, with `PADDING` around it.

    Between two of them lies what is left of a pause of at least `PAUSE` seconds.

    Args:
        waveform: 16 kHz.
        detector: ``energy`` needs nothing; ``webrtc`` needs the extra ``vad`` and tells speech from other loud sounds.

    Raises:
        RecipeError: the detector's package is missing.
    """
    frames = energy_frames(waveform) if detector == "energy" else webrtc_frames(waveform)
    edges = np.flatnonzero(np.diff(frames.astype(np.int8), prepend=0, append=0)).tolist()
    heard = [(first * FRAME, end * FRAME) for first, end in zip(edges[::2], edges[1::2], strict=True)]
    joined = list[tuple[int, int]]()
    for first, end in heard:
        if joined and first - joined[-1][1] < PAUSE * SAMPLING_RATE:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((first, end))
    padding = round(PADDING * SAMPLING_RATE)
    return [
        (max(0, first - padding), min(len(waveform), end + padding))
        for first, end in joined
        if end - first >= SHORTEST * SAMPLING_RATE
    ]


def energy_frames(waveform: Float[Array, " sample"]) -> Bool[Array, " frame"]:
    """Whether each 20 ms are louder than the noise, which is the quietest of the seconds around them."""
    levels = _levels(waveform)
    if len(levels) == 0:
        return np.zeros(0, dtype=bool)
    smooth = np.convolve(np.pad(levels, SMOOTHED // 2, mode="edge"), np.full(SMOOTHED, 1 / SMOOTHED), mode="valid")
    around = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, AROUND, mode="edge"), 2 * AROUND + 1)
    noise, loudest = around.min(axis=1), around.max(axis=1)
    least = np.minimum(noise + OVER_NOISE, LOUDEST_NOISE)
    is_speech: Bool[Array, " frame"] = smooth > np.maximum(np.maximum(least, loudest - UNDER_SPEECH), QUIETEST)
    return is_speech


def webrtc_frames(waveform: Float[Array, " sample"]) -> Bool[Array, " frame"]:
    """Whether WebRTC's detector calls each 20 ms speech; an incomplete last frame is none.

    Raises:
        RecipeError: its package is missing.
    """
    try:
        import webrtcvad
    except ImportError:
        raise RecipeError(
            "the detector of speech is missing",
            given="webrtc",
            mend="Install it with: pip install 'sprachbund[vad]', or take the detector energy.",
        ) from None
    detector = webrtcvad.Vad(STRICTNESS)
    content = np.rint(waveform.clip(-1, 1) * 32767).astype("<i2").tobytes()
    edges = range(0, len(content) + 1, 2 * FRAME)
    return np.array([detector.is_speech(content[first:end], SAMPLING_RATE) for first, end in pairwise(edges)], bool)


def _levels(waveform: Float[Array, " sample"]) -> Float[Array, " frame"]:
    """Decibels below full scale of each 20 ms; a last frame that is not full stands as it is."""
    starts = np.arange(0, len(waveform), FRAME)
    if len(starts) == 0:
        return np.zeros(0)
    powers = np.add.reduceat(waveform.astype(np.float64) ** 2, starts)
    counts = np.minimum(FRAME, len(waveform) - starts)
    levels: Float[Array, " frame"] = 10 * np.log10(powers / counts + 1e-10)
    return levels
