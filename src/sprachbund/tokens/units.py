"""Units: ids of k-means clusters over frame features, the first teacher of masked prediction (HuBERT, section II-B).

A unit model is fitted on a reservoir of frames chosen by hash, so that neither the order in which recordings arrive nor
their grouping changes it, and assigns every frame on its own, whatever stands beside it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sprachbund.errors import VocabularyError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Bool, Float, Int, Integer
from sprachbund.tokens.reservoir import Reservoir

CENTROIDS_FILE = "units.safetensors"
DESCRIPTION_FILE = "units.json"

SHORTEST_SHIFT, LONGEST_SHIFT = 1e-4, 1.0  # seconds
RESERVOIR_FRAMES = 500_000
RESERVOIR_BYTES = 192 << 20  # fewer frames of wide features: 65 536 of 768 channels
BLOCK_DISTANCES = 1 << 17  # looked at together in `assign`: half a megabyte stays in a processor's cache
# Numbers of one look in double precision at frames that single precision leaves open.
EXACT_NUMBERS = 4_000_000


@dataclass(frozen=True, eq=False)
class UnitModel:
    """Cluster centres of frame features.

    The features are taken as they are, as in HuBERT's first iteration: scaling every channel to unit variance would
    give the noisy second differences of MFCC the same say as the cepstra themselves.
    """

    centroids: Float[Array, "unit channel"]  # float32
    feature: str = "mfcc"  # what the channels are
    frame_shift: float = 0.01  # seconds between two frames

    def __post_init__(self) -> None:
        is_usable = self.centroids.dtype == np.float32 and self.centroids.size and np.isfinite(self.centroids).all()
        if not is_usable or not SHORTEST_SHIFT <= self.frame_shift <= LONGEST_SHIFT:
            raise VocabularyError(
                "the centroids of a unit model are not finite float32 numbers at a frame shift of speech",
                given=f"{self.centroids.dtype} {self.centroids.shape}, {self.frame_shift} s",
                mend="Fit the unit model anew.",
            )

    @property
    def num_units(self) -> int:
        """Number of clusters; units run from 0 to this, exclusive."""
        return int(self.centroids.shape[0])

    @property
    def num_channels(self) -> int:
        """Channels of the features."""
        return int(self.centroids.shape[1])

    @property
    def label_rate(self) -> float:
        """Units a second: 100.0 for a frame shift of 10 ms."""
        return round(1 / self.frame_shift, 6)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) of the centroids and of what they are centroids of."""
        settings = json.dumps([self.feature, self.frame_shift, *self.centroids.shape])
        return hashlib.sha256(settings.encode() + self.centroids.astype("<f4").tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnitModel) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @classmethod
    def fit(
        cls,
        features: Iterable[tuple[str, Float[Array, "_ _"]]],
        num_units: int,
        *,
        seed: int = 0,
        reservoir_frames: int = RESERVOIR_FRAMES,
        feature: str = "mfcc",
        frame_shift: float = 0.01,
    ) -> "UnitModel":
        """Cluster a sample of the frames of `features`.

        Args:
            features: pairs of a cut id and its features (frame, channel); in any order.
            num_units: clusters.
            seed: of the choice of frames and of the clustering.
            reservoir_frames: frames kept, but no more than take `RESERVOIR_BYTES`; all where there are fewer.
            feature: name of the features.
            frame_shift: seconds between two frames.

        Raises:
            VocabularyError: fewer distinct frames than units, a cut id twice, or features that do not fit each other.
        """
        stream = iter(features)
        first = list(islice(stream, 1))
        most = RESERVOIR_BYTES // (4 * max(1, first[0][1].shape[1])) if first else 0
        reservoir = Reservoir(max(min(reservoir_frames, most), num_units), seed=seed)
        for cut_id, frames in chain(first, stream):
            reservoir.add(cut_id, frames)
        sample = reservoir.frames()
        del reservoir  # its memory is wanted for clustering
        return cls(_cluster(sample, num_units, seed), feature, frame_shift)

    def assign(self, features: Float[Array, "frame channel"]) -> Int[Array, " frame"]:
        """The nearest centroid of each frame (int32), the lowest id among equally near ones.

        The unit of a frame depends on nothing but the frame: single precision decides only where its rounding, bounded
        for any order of adding, cannot change which centroid is nearest. Elsewhere the distances are taken in double
        precision, frame by frame.

        Raises:
            VocabularyError: another number of channels than the model's, or values that are not finite.
        """
        if features.shape[1] != self.num_channels:
            raise self._misfit(features)
        units = np.empty(len(features), dtype=np.int32)
        size = max(1, BLOCK_DISTANCES // self.num_units)
        # A column of ones takes the norms of the centroids into the product.
        block = np.ones((size, self.num_channels + 1), dtype=np.float32)
        distances = np.empty((size, self.num_units), dtype=np.float32)
        for start in range(0, len(features), size):
            part = features[start : start + size]
            block[: len(part), :-1] = part
            units[start : start + size] = self._assign_block(block[: len(part)], distances[: len(part)])
        return units

    def _assign_block(
        self, block: Float[Array, "frame channel_and_one"], distances: Float[Array, "frame unit"]
    ) -> Int[Array, " frame"]:
        """Units of a block; `distances` is a place to compute in."""
        factors, largest_norm = self._products
        rows = np.arange(len(block))
        # Large numbers overflow single precision; such frames are all looked at again.
        with np.errstate(over="ignore", invalid="ignore"):
            # Squared distance without the frame's own norm, which is the same for all centroids.
            np.matmul(block, factors, out=distances)
            nearest = distances.argmin(axis=1)
            sizes = np.einsum("fc,fc->f", block, block) + 2 * largest_norm
            limits = distances[rows, nearest] + self._rounding * sizes
            distances[rows, nearest] = np.inf
            is_open = ~(distances.min(axis=1) > limits)
        if not np.isfinite(sizes).all() and not np.isfinite(block).all():
            raise self._misfit(block[:, :-1])
        units: Int[Array, " frame"] = nearest.astype(np.int32)
        undecided = np.flatnonzero(is_open)
        at_once = max(1, EXACT_NUMBERS // self.centroids.size)
        for start in range(0, len(undecided), at_once):
            rows = undecided[start : start + at_once]
            is_rival = ~(distances[rows] > limits[rows, None])
            is_rival[np.arange(len(rows)), nearest[rows]] = True
            units[rows] = self._nearest_of(is_rival, block[rows, :-1])
        return units

    def _nearest_of(
        self, is_rival: Bool[Array, "frame unit"], frames: Float[Array, "frame channel"]
    ) -> Integer[Array, " frame"]:
        """The nearest of the centroids that are rivals, in double precision, each frame by itself."""
        places, rivals = np.nonzero(is_rival)
        exact = ((self.centroids[rivals].astype(np.float64) - frames[places]) ** 2).sum(axis=1)
        # Frame by frame, nearest first; of equally near ones the lowest id.
        order = np.lexsort((rivals, exact, places))
        first = np.unique(places[order], return_index=True)[1]
        return rivals[order][first]

    def _misfit(self, features: Float[Array, "frame channel"]) -> VocabularyError:
        return VocabularyError(
            "the features do not fit the unit model",
            given=f"shape {features.shape}, all finite: {bool(np.isfinite(features).all())}",
            mend=f"Give finite '{self.feature}' features of {self.num_channels} channels.",
        )

    @cached_property
    def _products(self) -> tuple[Float[Array, "channel_and_one unit"], np.float32]:
        """What a frame and a one are multiplied with, and the largest squared norm of a centroid."""
        norms = (self.centroids.astype(np.float64) ** 2).sum(axis=1)
        with np.errstate(over="ignore"):
            factors = np.concatenate([-2 * self.centroids.T, norms.astype(np.float32)[None]])
            return np.ascontiguousarray(factors), norms.max().astype(np.float32)

    @property
    def _rounding(self) -> np.float32:
        """How far two computed distances may be off against each other, as a share of the squares that are added up.

        Each is a sum of so many products, a norm among them; a tenth more covers the rounding of the bound itself.
        """
        return np.float32(2.2 * (self.num_channels + 5) * 2.0**-24)

    def save(self, folder: Path | str) -> None:
        """Write ``units.safetensors`` and, last, ``units.json`` with the settings and the fingerprint."""
        folder = Path(folder)
        with write_atomically(folder / CENTROIDS_FILE) as handle:
            handle.write(safetensors.numpy.save({"centroids": np.ascontiguousarray(self.centroids)}))
        description = {"feature": self.feature, "frame_shift": self.frame_shift, "fingerprint": self.fingerprint}
        with write_atomically(folder / DESCRIPTION_FILE, mode="w") as handle:
            json.dump(description, handle, indent=2)

    @classmethod
    def load(cls, folder: Path | str) -> "UnitModel":
        """Read what `save` wrote.

        Raises:
            VocabularyError: files are missing, truncated, foreign, or not of one model.
        """
        folder = Path(folder)
        mend = "Give a folder written by `sprachbund tokens fit-units`, or fit the unit model anew."
        try:
            description = json.loads((folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
            centroids = safetensors.numpy.load((folder / CENTROIDS_FILE).read_bytes())["centroids"]
            fingerprint = str(description["fingerprint"])
            feature, frame_shift = str(description["feature"]), float(description["frame_shift"])
        except OSError as error:
            raise VocabularyError(
                "a unit model cannot be read", where=error.filename, given=error.strerror, mend=mend
            ) from error
        except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError, SafetensorError) as error:
            raise VocabularyError("a unit model is damaged", where=folder, given=repr(error), mend=mend) from error
        if centroids.ndim != 2 or centroids.dtype != np.float32:
            found = f"{centroids.dtype} {centroids.shape}"
            raise VocabularyError("a file holds no centroids", where=folder / CENTROIDS_FILE, given=found, mend=mend)
        model = cls(centroids, feature, frame_shift)
        if model.fingerprint != fingerprint:
            found = f"{model.fingerprint[:12]}, expected {fingerprint[:12]}"
            raise VocabularyError(
                "centroids and settings are not of one unit model", where=folder, given=found, mend=mend
            )
        return model


def _cluster(frames: Float[Array, "frame channel"], num_units: int, seed: int) -> Float[Array, "unit channel"]:
    """Mini-batch k-means as HuBERT's, but of five starts instead of twenty; always the same on one kind of machine."""
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    if num_units < 1 or len(frames) < num_units:
        raise _too_few(len(frames), num_units)
    kmeans = MiniBatchKMeans(
        n_clusters=num_units,
        init="k-means++",
        n_init=5,
        batch_size=10_000,
        max_iter=100,
        tol=0.0,
        max_no_improvement=100,
        reassignment_ratio=0.0,
        random_state=seed,
    )
    # The order in which threads add up their shares would show in the last digits.
    with threadpool_limits(limits=1):
        kmeans.fit(frames)
    centroids = np.ascontiguousarray(kmeans.cluster_centers_, dtype=np.float32)
    num_distinct = len(np.unique(centroids, axis=0))
    if num_distinct < num_units:
        raise _too_few(num_distinct, num_units)
    return centroids


def _too_few(num_frames: int, num_units: int) -> VocabularyError:
    return VocabularyError(
        "there are fewer distinct frames than units",
        given=f"{num_frames} frames, {num_units} units",
        mend="Give more speech, or ask for fewer units (at least one).",
    )
