"""The dimension legend: the words that shape annotations use, and the array types they annotate.

Shapes are written as ``Float[Tensor, "batch frame dim"]`` and checked in the test run only (an import hook installs the
checker), so they cost nothing in use and do not stand in the way of ``torch.compile``.

    batch    utterances or lines side by side       sample   audio samples, 16 000 a second
    frame    positions of an encoder or of features token    ids of text
    unit     k-means ids of speech                  mel      spectrogram bands
    channel  convolution or wave channels           dim      width of a state
    head     attention heads                        vocab    entries of a dictionary
    code     codebook entries                       layer    layers of a stack

A ``padding_mask`` is True at padding. Counts are ``num_x``, valid lengths ``x_lengths``.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, Shaped
from torch import Tensor

__all__ = ["Array", "Bool", "Float", "Int", "Integer", "Shaped", "Tensor"]

Array = np.ndarray
