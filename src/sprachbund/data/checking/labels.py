"""Units of cuts: whether they are there, of one unit model, and as many as the sound needs."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from lhotse import MonoCut
from lhotse.array import TemporalArray

from sprachbund.data.checking.problems import Fault
from sprachbund.data.storage.waveforms import TOLERANCE_SECONDS
from sprachbund.data.units import FINGERPRINT_FIELD, UNITS_FIELD, fewest_labels, load_units
from sprachbund.errors import SprachbundError
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import UnitLabels

# What Lhotse and numpy raise on arrays that are missing, damaged or others than declared.
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    SprachbundError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Labels:
    """The units of a cut."""

    fingerprint: str  # of the unit model
    end: float  # of the stored array, in seconds from the start of the recording
    rate: float  # labels a second
    count: int | None = None  # of those that belong to the cut; None where the array stayed closed
    lowest: int = 0
    highest: int = 0
    damage: str | None = None  # why they cannot be read


def read_labels(cut: Any, *, is_quick: bool) -> Labels | None:
    """The units of `cut`, None where it has none; the array stays closed where `is_quick`."""
    custom = cut.custom or {} if isinstance(cut, MonoCut) else {}
    array = custom.get(UNITS_FIELD)
    if array is None:
        return None
    fingerprint = str(custom.get(FINGERPRINT_FIELD))
    if not isinstance(array, TemporalArray):
        return Labels(fingerprint, 0.0, 0.0, damage="they are no array at a frame shift")
    labels = Labels(fingerprint, array.start + array.shape[0] * array.frame_shift, 1 / array.frame_shift)
    if is_quick:
        return labels
    return _open(cut, labels)


def _open(cut: Any, labels: Labels) -> Labels:
    fingerprint, end, rate = labels.fingerprint, labels.end, labels.rate
    try:
        units = np.asarray(load_units(cut, fingerprint))
    except UNREADABLE as error:
        given = error.given if isinstance(error, SprachbundError) else error
        return Labels(fingerprint, end, rate, damage=str(given))
    if units.ndim != 1 or not np.issubdtype(units.dtype, np.integer):
        return Labels(fingerprint, end, rate, damage=f"{units.dtype} of shape {units.shape}")
    if len(units) == 0:
        return Labels(fingerprint, end, rate, count=0)
    return Labels(fingerprint, end, rate, len(units), int(units.min()), int(units.max()))


def expected_fingerprint(labels: Iterable[Labels | None], units: UnitLabels | None) -> str | None:
    """That of `units`, else the one that most cuts have; None where there are no labels."""
    if units is not None:
        return units.fingerprint
    counts = Counter(each.fingerprint for each in labels if each is not None)
    # Equally many: the lowest, so that the order of manifests does not matter.
    return min(counts, key=lambda fingerprint: (-counts[fingerprint], fingerprint)) if counts else None


def judge_labels(
    labels: Labels, duration: float, recording_seconds: float | None, expected: str | None, num_units: int | None
) -> Iterator[Fault]:
    """Faults of the units of a cut.

    Args:
        labels: of the cut.
        duration: of the cut, in seconds.
        recording_seconds: of the whole recording, where it could be read.
        expected: fingerprint of the unit model.
        num_units: of the unit model, where it is known.
    """
    if labels.fingerprint != expected:
        yield Fault("other-unit-model", f"fingerprint {labels.fingerprint[:16]}, expected {str(expected)[:16]}")
    if labels.damage is not None:
        yield Fault("damaged-labels", labels.damage)
        return
    if recording_seconds is not None and labels.end > recording_seconds + TOLERANCE_SECONDS:
        yield Fault("label-length", f"units up to {labels.end:.3f} s of {recording_seconds:.3f} s")
    elif labels.count is not None:
        fewest = fewest_labels(round(duration * SAMPLING_RATE), labels.rate)
        if labels.count < fewest:
            yield Fault("label-length", f"{labels.count} units where {fewest} are needed")
    if labels.lowest < 0 or (num_units is not None and labels.highest >= num_units):
        yield Fault("label-range", f"ids from {labels.lowest} to {labels.highest}, the model has {num_units} units")
