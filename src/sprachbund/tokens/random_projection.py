"""Units nobody has trained: frames through a random projection, each to the nearest vector of a random codebook.

BEST-RQ (Chiu et al., 2022, section 3): neither projection nor codebook ever learns, and to predict their units at
masked frames trains an encoder all the same. What matters is that the frames are normalised.
"""

import numpy as np
from numpy.random import RandomState

from sprachbund.lengths import frames_from_samples
from sprachbund.shapes import Array, Float, Int
from sprachbund.signal.features import NUM_MFCC_BANDS, mfcc_bands

FRAMES_PER_UNIT = 2  # bands come 100 times a second, frames of the front-end 50 times
NUM_CHANNELS = NUM_MFCC_BANDS * FRAMES_PER_UNIT
BLOCK = 512  # frames compared with the codebook at once


class RandomProjection:
    """Waveforms to units, one for each frame of the waveform front-end, of two frames of log-mel bands stacked.

    Each channel is given zero mean and unit variance over the waveform first. The nearest vector is that of the
    largest cosine. The same seed gives the same units on any machine.

    Args:
        num_codes: vectors of the codebook.
        dim: their width.
        seed: of projection and codebook.
    """

    label_rate = 50

    def __init__(self, num_codes: int, dim: int, seed: int) -> None:
        # `RandomState`, because numpy promises that its streams never change.
        generator = RandomState(seed)
        # Xavier's uniform distribution (Glorot and Bengio, 2010).
        bound = np.sqrt(6 / (NUM_CHANNELS + dim))
        self.projection = generator.uniform(-bound, bound, size=(NUM_CHANNELS, dim)).astype(np.float32)
        codebook = generator.standard_normal(size=(num_codes, dim))
        self.codebook = (codebook / np.linalg.norm(codebook, axis=1, keepdims=True)).astype(np.float32)

    def __call__(self, waveform: Float[Array, " sample"]) -> Int[Array, " unit"]:
        """Units of a 16 kHz waveform, as many as the front-end yields frames."""
        projected = self._frames(waveform) @ self.projection
        blocks = [projected[start : start + BLOCK] for start in range(0, len(projected), BLOCK)]
        # A frame's own length does not change which cosine is the largest.
        found = [(block @ self.codebook.T).argmax(axis=1) for block in blocks]
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def _frames(self, waveform: Float[Array, " sample"]) -> Float[Array, "frame channel"]:
        count = frames_from_samples(len(waveform))
        if count == 0:
            return np.zeros((0, NUM_CHANNELS), dtype=np.float32)
        stacked = mfcc_bands(waveform)[: FRAMES_PER_UNIT * count].reshape(count, NUM_CHANNELS)
        spread = stacked.std(axis=0)
        # What does not vary, as in digital silence, is all rounding.
        normalized: Array = np.where(spread > 1e-4, (stacked - stacked.mean(axis=0)) / np.maximum(spread, 1e-4), 0.0)
        return normalized.astype(np.float32)
