"""Waveforms to features: SpeechT5's log-mel spectrogram, HuBERT's first-iteration MFCC, and waveform normalization.

All take 16 kHz waveforms, compute in double precision and return single precision.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from sprachbund.errors import AudioError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE

BLOCK = 4096  # frames worked on at once

MEL_FFT, MEL_HOP, NUM_MELS = 1024, 256, 80
MEL_LOWEST, MEL_HIGHEST, MEL_FLOOR = 80.0, 7600.0, 1e-10

MFCC_WINDOW, MFCC_HOP, MFCC_FFT = 400, 160, 512
NUM_CEPSTRA, NUM_MFCC_BANDS, MFCC_LOWEST, LIFTER, PREEMPHASIS = 13, 23, 20.0, 22, 0.97


def normalize_waveform(waveform: Float[Array, " sample"]) -> Float[Array, " sample"]:
    """Zero mean and unit variance over the whole recording (biased variance plus 1e-5).

    Raises:
        AudioError: there is no sample.
    """
    _check_not_empty(waveform)
    samples = waveform.astype(np.float64)
    normalized: Array = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-5)
    return normalized.astype(np.float32)


def log_mel(waveform: Float[Array, " sample"]) -> Float[Array, "frame mel"]:
    """SpeechT5's spectrogram: log10 of 80 mel bands of the magnitude, 80 to 7600 Hz, ``1 + samples // 256`` frames.

    Frame t is centred on sample 256 t under a Hann window of 1024; the edges are mirrored, over and over where the
    recording is shorter than half a window. Takes the waveform as it was read, not normalized.

    Raises:
        AudioError: there is no sample.
    """
    _check_not_empty(waveform)
    mirrored = np.pad(waveform.astype(np.float64), MEL_FFT // 2, mode="reflect")
    return _in_blocks(_log_mel_frames, np.lib.stride_tricks.sliding_window_view(mirrored, MEL_FFT)[::MEL_HOP])


def _log_mel_frames(frames: Float[Array, "frame window"]) -> Float[Array, "frame mel"]:
    # Hann, periodic: the window starts anew where it would reach 0 again.
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_FFT) / MEL_FFT)
    magnitude = np.abs(np.fft.rfft(frames * window))
    bands: Array = np.log10(np.maximum(MEL_FLOOR, magnitude @ mel_basis().T))
    return bands.astype(np.float32)


@cache
def mel_basis() -> Float[Array, "mel bin"]:
    """Triangles on Slaney's scale (linear below 1 kHz, logarithmic above), each of unit area in hertz; read only."""
    edges = _slaney_to_hertz(np.linspace(_hertz_to_slaney(MEL_LOWEST), _hertz_to_slaney(MEL_HIGHEST), NUM_MELS + 2))
    bins = np.fft.rfftfreq(MEL_FFT, 1 / SAMPLING_RATE)
    basis: Array = _triangles(bins, edges) * (2 / (edges[2:] - edges[:-2]))[:, None]
    basis.flags.writeable = False
    return basis


def mfcc(waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
    """39 channels every 10 ms: 13 cepstra, their slopes and the slopes of those (HuBERT, section IV-A; as Kaldi's).

    Frame t covers 25 ms around sample 160 t + 80, the edges mirrored; there are `num_mfcc_frames` of them. So there are
    at least two for each frame of the waveform front-end, whose frame f begins with frame 2 f of these.
    Mean removal, pre-emphasis 0.97, Povey window, power spectrum, 23 bands from 20 Hz, cosine transform, liftering 22.

    Raises:
        AudioError: there is no sample.
    """
    _check_not_empty(waveform)
    cepstra = _in_blocks(_cepstra, _mfcc_windows(waveform))
    slopes = _slopes(cepstra)
    return np.concatenate([cepstra, slopes, _slopes(slopes)], axis=1).astype(np.float32)


def mfcc_bands(waveform: Float[Array, " sample"]) -> Float[Array, "frame mel"]:
    """The logarithms of the 23 bands that `mfcc` makes its cepstra of, in the same frames.

    Raises:
        AudioError: there is no sample.
    """
    _check_not_empty(waveform)
    return _in_blocks(_bands, _mfcc_windows(waveform)).astype(np.float32)


def num_mfcc_frames(num_samples: int) -> int:
    """Frames of `mfcc`: one for each 160 samples, half of that or more counting as one, and at least one."""
    return max(1, (num_samples + MFCC_HOP // 2) // MFCC_HOP)


def _mfcc_windows(waveform: Float[Array, " sample"]) -> Float[Array, "frame window"]:
    samples = waveform.astype(np.float64)
    before = (MFCC_WINDOW - MFCC_HOP) // 2
    num_frames = num_mfcc_frames(len(samples))
    after = max(0, (num_frames - 1) * MFCC_HOP + MFCC_WINDOW - before - len(samples))
    mirrored = np.pad(samples, (before, after), mode="symmetric")
    windows: Array = np.lib.stride_tricks.sliding_window_view(mirrored, MFCC_WINDOW)[::MFCC_HOP][:num_frames]
    return windows


def _bands(frames: Float[Array, "frame window"]) -> Float[Array, "frame mel"]:
    frames = frames - frames.mean(axis=1, keepdims=True)
    previous = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    # Povey's window: a symmetric Hann window to the power 0.85.
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MFCC_WINDOW) / (MFCC_WINDOW - 1))) ** 0.85
    power = np.abs(np.fft.rfft((frames - PREEMPHASIS * previous) * window, MFCC_FFT)) ** 2
    bands: Array = np.log(np.maximum(np.finfo(np.float32).eps, power @ _mfcc_basis().T))
    return bands


def _cepstra(frames: Float[Array, "frame window"]) -> Float[Array, "frame channel"]:
    cepstra: Array = _bands(frames) @ _cosines().T
    return cepstra


def _in_blocks(
    function: Callable[[Float[Array, "_ window"]], Float[Array, "_ channel"]], frames: Float[Array, "frame window"]
) -> Float[Array, "frame channel"]:
    """The function applied to a few thousand frames at a time, so that hours of audio do not fill the memory."""
    return np.concatenate([function(frames[start : start + BLOCK]) for start in range(0, len(frames), BLOCK)])


@cache
def _mfcc_basis() -> Float[Array, "mel bin"]:
    """Triangles on the scale ``1127 log(1 + hertz / 700)``, straight in mels, not in hertz."""
    lowest, highest = _hertz_to_mel(np.array([MFCC_LOWEST, SAMPLING_RATE / 2]))
    edges = np.linspace(lowest, highest, NUM_MFCC_BANDS + 2)
    return _triangles(_hertz_to_mel(np.fft.rfftfreq(MFCC_FFT, 1 / SAMPLING_RATE)), edges)


@cache
def _cosines() -> Float[Array, "channel mel"]:
    """The orthonormal cosine transform of the bands, liftered: higher cepstra are raised to the size of the lower."""
    orders, bands = np.arange(NUM_CEPSTRA)[:, None], np.arange(NUM_MFCC_BANDS)[None, :]
    cosines: Array = np.sqrt(2 / NUM_MFCC_BANDS) * np.cos(np.pi / NUM_MFCC_BANDS * orders * (bands + 0.5))
    cosines[0] = np.sqrt(1 / NUM_MFCC_BANDS)
    cosines *= 1 + LIFTER / 2 * np.sin(np.pi * orders / LIFTER)
    return cosines


def _slopes(values: Float[Array, "frame channel"]) -> Float[Array, "frame channel"]:
    """The slope of the best line through five frames; the first and last frame are repeated beyond the edges."""
    padded = np.pad(values, ((2, 2), (0, 0)), mode="edge")
    slopes: Array = (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10
    return slopes


def _triangles(positions: Float[Array, " bin"], edges: Float[Array, " edge"]) -> Float[Array, "mel bin"]:
    """Triangle m rises from edge m to a peak of 1 at edge m + 1 and falls to edge m + 2."""
    low, peak, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (positions - low) / (peak - low), (high - positions) / (high - peak)
    triangles: Array = np.maximum(0, np.minimum(rising, falling))
    return triangles


def _hertz_to_mel(hertz: Float[Array, " bin"]) -> Float[Array, " bin"]:
    mels: Array = 1127 * np.log1p(hertz / 700)
    return mels


# Slaney's scale: a mel is 200/3 Hz up to 1 kHz, and then 27 mels multiply the frequency by 6.4.
_SLANEY_LINEAR, _SLANEY_CORNER, _SLANEY_GROWTH = 200 / 3, 1000.0, np.log(6.4) / 27


def _hertz_to_slaney(hertz: float) -> float:
    if hertz < _SLANEY_CORNER:
        return hertz / _SLANEY_LINEAR
    return float(_SLANEY_CORNER / _SLANEY_LINEAR + np.log(hertz / _SLANEY_CORNER) / _SLANEY_GROWTH)


def _slaney_to_hertz(mels: Float[Array, " edge"]) -> Float[Array, " edge"]:
    corner = _SLANEY_CORNER / _SLANEY_LINEAR
    return np.where(mels < corner, mels * _SLANEY_LINEAR, _SLANEY_CORNER * np.exp((mels - corner) * _SLANEY_GROWTH))


def _check_not_empty(waveform: Float[Array, " sample"]) -> None:
    if len(waveform) == 0:
        raise AudioError("The waveform is empty", given="0 samples", mend="Leave it out.")
