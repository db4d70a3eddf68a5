"""Units on cuts: fitted on frames, stored beside the cuts as frame-aligned arrays, read back under their fingerprint.

A labelled cut has the custom fields ``units`` (a Lhotse ``TemporalArray`` of unit ids, so that a truncated cut loads
the units of its part) and ``units_fingerprint`` (that of the unit model).
"""

import hashlib
import math
import re
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from lhotse import CutSet, MonoCut
from lhotse.array import Array as ArrayManifest
from lhotse.array import TemporalArray
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.data.frame_reader import FrameReader, MfccFrames, require_same_frames
from sprachbund.data.progress import watched
from sprachbund.data.storage.waveforms import read_waveform, require_own_recording
from sprachbund.data.workers import in_processes
from sprachbund.errors import DataError, RecipeError, VocabularyError
from sprachbund.files import write_atomically
from sprachbund.lengths import frames_from_samples, samples_per_frame
from sprachbund.shapes import Array, Float, Int, Integer
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.tokens.units import RESERVOIR_FRAMES, UnitModel

UNITS_FIELD = "units"
FINGERPRINT_FIELD = "units_fingerprint"
MFCC = MfccFrames()

_MEND = "Label the manifest with `sprachbund tokens label` and the unit model of this training."


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a manifest, for one of several machines or ranks."""

    number: int  # from 1
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise RecipeError(
                "there is no such shard", given=self, mend="Shards of 8 are written as 1/8, 2/8 and so on to 8/8."
            )

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that is written as ``3/8``.

        Raises:
            RecipeError: it is written in another way, or there is no such shard.
        """
        if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text):
            raise RecipeError("a shard is not of the form NUMBER/COUNT", given=text, mend="Write for example 3/8.")
        return cls(*map(int, text.split("/")))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, cuts: CutSet) -> CutSet:
        """The cuts of this shard: every `count`-th, so that shards of a sorted manifest are equally long."""
        return CutSet.from_cuts(islice(cuts, self.number - 1, None, self.count))


def fit_units(
    cuts: CutSet,
    num_units: int,
    *,
    reader: FrameReader = MFCC,
    seed: int = 0,
    reservoir_frames: int = RESERVOIR_FRAMES,
    jobs: int = 1,
) -> UnitModel:
    """Fit k-means units on frames of `cuts`; neither their order nor the number of processes matters.

    Raises:
        VocabularyError: fewer distinct frames than units, or a cut id twice.
        DataError: a cut without a recording of its own.
        AudioError: a recording that cannot be read.
    """
    features = in_processes(partial(_features, reader), watched(cuts, "Reading features"), jobs)
    return UnitModel.fit(
        features,
        num_units,
        seed=seed,
        reservoir_frames=reservoir_frames,
        feature=reader.name,
        frame_shift=reader.frame_shift,
    )


def attach_units(
    cuts: CutSet, model: UnitModel, folder: Path | str, *, reader: FrameReader = MFCC, jobs: int = 1
) -> CutSet:
    """The same cuts with the units of `model` stored below `folder`; arrays that are there already are kept.

    The units of a cut depend on it alone, and every array has its own file. So any number of processes, on any number
    of machines, may write parts of one manifest into one folder.

    Args:
        cuts: recordings; one at a time is in the memory of a process.
        model: the unit model.
        folder: of the stored arrays, which get a folder of their own for each unit model.
        reader: of the frames that `model` was fitted on.
        jobs: processes on this machine.

    Raises:
        VocabularyError: `model` is one of other frames than `reader` gives.
        DataError: a cut without a recording of its own.
        AudioError: a recording that cannot be read.
    """
    require_same_frames(model, reader)
    store = store_of(folder, model)
    labelling = partial(_count_or_store, model, reader, store)
    counts = in_processes(labelling, watched(cuts, "Assigning units"), jobs)
    return CutSet.from_cuts([with_units(cut, model, store, count) for cut, count in zip(cuts, counts, strict=True)])


def num_labels(cut: Cut) -> int:
    """Units of a whole labelled cut, as its manifest says; no array is read."""
    return int((cut.custom or {})[UNITS_FIELD].array.shape[0])


def find_units(cuts: CutSet, model: UnitLabels, folder: Path | str) -> CutSet | None:
    """What `attach_units` would give, if the arrays of all cuts are stored already; else None. Nothing is computed."""
    store = store_of(folder, model)
    found = []
    for cut in cuts:
        count = _stored_labels(cut, model, store)
        if count is None:
            return None
        found.append(with_units(cut, model, store, count))
    return CutSet.from_cuts(found)


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
    except (ArithmeticError, AssertionError, EOFError, OSError, TypeError, ValueError) as error:
        # Lhotse's arithmetic of times stumbles over some numbers that a manifest may hold.
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


def fewest_labels(num_samples: int, label_rate: float) -> int:
    """Labels that the frames of a waveform of `num_samples` need: two a frame at 100 Hz."""
    seconds = frames_from_samples(num_samples) * samples_per_frame() / SAMPLING_RATE
    return math.ceil(round(seconds * label_rate, 6))


def store_units(path: Path, units: Integer[Array, " label"], num_units: int) -> None:
    """Write the units of a cut in as few bytes as `num_units` allows."""
    narrow = np.int16 if num_units <= np.iinfo(np.int16).max else np.int32
    with write_atomically(path) as handle:
        np.save(handle, units.astype(narrow), allow_pickle=False)


def _features(reader: FrameReader, cut: Cut) -> tuple[str, Float[Array, "frame channel"]]:
    return cut.id, reader(read_waveform(cut))


def store_of(folder: Path | str, model: UnitLabels) -> Path:
    """A folder a unit model: arrays of two models cannot be mistaken for each other."""
    return Path(folder).resolve() / model.fingerprint[:16]


def key_of(cut: Cut) -> str:
    """The place of the units of `cut` in such a folder."""
    digest = hashlib.blake2b(f"{cut.id}\0{cut.start}\0{cut.duration}".encode(), digest_size=16).hexdigest()
    return f"{digest[:2]}/{digest}.npy"


def with_units(cut: Cut, model: UnitLabels, store: Path, num_labels: int) -> Cut:
    """`cut` with the units of `model` that are in `store`."""
    array = TemporalArray(
        ArrayManifest("numpy_files", str(store), key_of(cut), [num_labels]),
        temporal_dim=0,
        frame_shift=model.frame_shift,
        start=cut.start,
    )
    return fastcopy(cut, custom={**(cut.custom or {}), UNITS_FIELD: array, FINGERPRINT_FIELD: model.fingerprint})


def _count_or_store(model: UnitModel, reader: FrameReader, store: Path, cut: Cut) -> int:
    """The number of labels of `cut`, which are stored after this."""
    stored = _stored_labels(cut, model, store)
    return _assign_and_store(cut, model, reader, store / key_of(cut)) if stored is None else stored


def _stored_labels(cut: Cut, model: UnitLabels, store: Path) -> int | None:
    """The number of labels of the array of `cut`; None where there is none that can be used."""
    try:
        stored = np.load(store / key_of(cut), mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError):
        return None
    fewest = fewest_labels(round(cut.duration * SAMPLING_RATE), model.label_rate)
    is_usable = stored.ndim == 1 and np.issubdtype(stored.dtype, np.integer) and len(stored) >= fewest
    return len(stored) if is_usable else None


def _assign_and_store(cut: Cut, model: UnitModel, reader: FrameReader, path: Path) -> int:
    require_own_recording(cut, "units could travel with")
    waveform = read_waveform(cut)
    units = model.assign(reader(waveform))
    fewest = fewest_labels(len(waveform), model.label_rate)
    if len(units) < fewest:
        raise DataError(
            "a cut has fewer units than its frames need", where=f"cut {cut.id}", given=f"{len(units)} of {fewest}"
        )
    store_units(path, units, model.num_units)
    return len(units)
