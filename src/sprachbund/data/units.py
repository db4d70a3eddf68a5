"""Units on cuts: fitted on MFCC, stored beside the cuts as frame-aligned arrays, read back under their fingerprint.

A labelled cut has the custom fields ``units`` (a Lhotse ``TemporalArray`` of unit ids, so that a truncated cut loads
the units of its part) and ``units_fingerprint`` (that of the unit model).
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from lhotse import CutSet, MonoCut
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.cut import Cut
from lhotse.utils import fastcopy
from rich.console import Console
from rich.progress import track

from sprachbund.errors import DataError, VocabularyError
from sprachbund.files import write_atomically
from sprachbund.lengths import frames_from_samples, samples_per_frame
from sprachbund.shapes import Array, Float, Int
from sprachbund.signal.audio import SAMPLING_RATE, read_audio
from sprachbund.signal.features import mfcc
from sprachbund.tokens.units import RESERVOIR_FRAMES, UnitModel

UNITS_FIELD = "units"
FINGERPRINT_FIELD = "units_fingerprint"

_MEND = "Label the manifest with `sprachbund tokens label` and the unit model of this training."


def fit_units(cuts: CutSet, num_units: int, *, seed: int = 0, reservoir_frames: int = RESERVOIR_FRAMES) -> UnitModel:
    """Fit k-means units on the MFCC of `cuts`; their order does not matter.

    Raises:
        VocabularyError: fewer distinct frames than units, or a cut id twice.
        DataError: a cut without a recording of its own.
        AudioError: a recording that cannot be read.
    """
    features = ((cut.id, mfcc(read_waveform(cut))) for cut in _watched(cuts, "Reading features"))
    return UnitModel.fit(features, num_units, seed=seed, reservoir_frames=reservoir_frames)


def attach_units(cuts: CutSet, model: UnitModel, folder: Path | str) -> CutSet:
    """The same cuts with the units of `model` stored below `folder`; arrays that are there already are kept.

    Raises:
        VocabularyError: `model` is not one of MFCC.
        DataError: a cut without a recording of its own.
        AudioError: a recording that cannot be read.
    """
    if model.feature != "mfcc":
        raise VocabularyError(
            "units of these features cannot be computed here", given=model.feature, mend="Give a unit model of MFCC."
        )
    # A folder a unit model: arrays of two models cannot be mistaken for each other.
    store = Path(folder).resolve() / model.fingerprint[:16]
    return CutSet.from_cuts([_label(cut, model, store) for cut in _watched(cuts, "Assigning units")])


def load_units(cut: Cut, fingerprint: str) -> Int[Array, " label"]:
    """The unit ids of `cut`, counted from 0, at the rate of the unit model.

    Args:
        cut: a labelled cut, or a part of one.
        fingerprint: that of the unit model which the caller expects.

    Raises:
        VocabularyError: the cut has no units, or those of another unit model.
        DataError: the stored array is missing or damaged.
    """
    require_units(cut, fingerprint)
    try:
        units: Int[Array, " label"] = cut.load_custom(UNITS_FIELD)
    except (OSError, ValueError) as error:
        raise DataError("stored units cannot be read", where=f"cut {cut.id}", given=str(error), mend=_MEND) from error
    return units


def require_units(cut: Cut, fingerprint: str) -> None:
    """Refuse a cut without units of the unit model with this fingerprint; no array is read.

    Raises:
        VocabularyError: the cut has no units, or those of another unit model.
    """
    custom = cut.custom or {} if isinstance(cut, MonoCut) else {}
    if not isinstance(custom.get(UNITS_FIELD), TemporalArray):
        raise VocabularyError("a cut has no units", where=f"cut {cut.id}", mend=_MEND)
    if custom.get(FINGERPRINT_FIELD) != fingerprint:
        raise VocabularyError(
            "the units of a cut come from another unit model",
            where=f"cut {cut.id}",
            given=f"fingerprint {str(custom.get(FINGERPRINT_FIELD))[:16]}, expected {fingerprint[:16]}",
            mend=_MEND,
        )


def read_waveform(cut: Cut) -> Float[Array, " sample"]:
    """The samples of `cut` at 16 kHz.

    Raises:
        DataError: the cut has no recording in one file.
        AudioError: the recording cannot be read.
    """
    source = cut.recording.sources[0] if isinstance(cut, MonoCut) and cut.recording is not None else None
    if source is None or source.type not in ("file", "memory"):
        raise DataError(
            "a cut has no recording in one file",
            where=f"cut {cut.id}",
            given=type(cut).__name__,
            mend="Save mixed, padded or remote cuts as audio files first.",
        )
    waveform = read_audio(source.source)
    start = round(cut.start * SAMPLING_RATE)
    return waveform[start : start + round(cut.duration * SAMPLING_RATE)]


def fewest_labels(num_samples: int, label_rate: float) -> int:
    """Labels that the frames of a waveform of `num_samples` need: two a frame at 100 Hz."""
    seconds = frames_from_samples(num_samples) * samples_per_frame() / SAMPLING_RATE
    return math.ceil(round(seconds * label_rate, 6))


def _watched(cuts: CutSet, description: str) -> Iterator[Cut]:
    total: int | None = None if cuts.is_lazy else len(cuts)
    # Standard output belongs to results.
    return iter(track(cuts, description=description, total=total, console=Console(stderr=True)))


def _label(cut: Cut, model: UnitModel, store: Path) -> Cut:
    digest = hashlib.blake2b(f"{cut.id}\0{cut.start}\0{cut.duration}".encode(), digest_size=16).hexdigest()
    key = f"{digest[:2]}/{digest}.npy"
    num_labels = _stored_labels(store / key, fewest_labels(round(cut.duration * SAMPLING_RATE), model.label_rate))
    if num_labels is None:
        num_labels = _store(cut, model, store / key)
    array = TemporalArray(
        ArrayManifest("numpy_files", str(store), key, [num_labels]),
        temporal_dim=0,
        frame_shift=model.frame_shift,
        start=cut.start,
    )
    return fastcopy(cut, custom={**(cut.custom or {}), UNITS_FIELD: array, FINGERPRINT_FIELD: model.fingerprint})


def _stored_labels(path: Path, fewest: int) -> int | None:
    """The number of labels of a stored array; None where there is none that can be used."""
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    is_usable = stored.ndim == 1 and np.issubdtype(stored.dtype, np.integer) and len(stored) >= fewest
    return len(stored) if is_usable else None


def _store(cut: Cut, model: UnitModel, path: Path) -> int:
    waveform = read_waveform(cut)
    units = model.assign(mfcc(waveform))
    fewest = fewest_labels(len(waveform), model.label_rate)
    if len(units) < fewest:
        raise DataError(
            "a cut has fewer units than its frames need", where=f"cut {cut.id}", given=f"{len(units)} of {fewest}"
        )
    narrow = np.int16 if model.num_units <= np.iinfo(np.int16).max else np.int32
    with write_atomically(path) as handle:
        np.save(handle, units.astype(narrow), allow_pickle=False)
    return len(units)
