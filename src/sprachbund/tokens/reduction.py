"""Units without their repeats, and how long each one lasted (SpeechUT, Zhang et al. 2022: reduced units)."""

from typing import NamedTuple

import numpy as np

from sprachbund.shapes import Array, Integer


class Reduced(NamedTuple):
    """Runs of equal units."""

    units: Integer[Array, " run"]
    """The unit of each run; neighbours differ."""
    lengths: Integer[Array, " run"]
    """Labels of each run, one at least."""


def reduced(units: Integer[Array, " unit"]) -> Reduced:
    """Runs of equal units: 17 17 296 296 20 becomes 17 296 20, of lengths 2 2 1."""
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(units), 1), dtype=bool), units[1:] != units[:-1]]))
    return Reduced(units[starts], np.diff(starts, append=len(units)))
