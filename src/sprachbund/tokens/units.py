"""Units: ids of k-means clusters over frame features, the first teacher of masked prediction (HuBERT, section II-B).

A unit model is fitted on a reservoir of frames chosen by hash, so that neither the order in which recordings arrive nor
their grouping changes it, and assigns every frame on its own, whatever stands beside it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from sprachbund.errors import VocabularyError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Float, Int, Integer

CENTROIDS_FILE = "units.safetensors"
DESCRIPTION_FILE = "units.json"

SHORTEST_SHIFT, LONGEST_SHIFT = 1e-4, 1.0  # seconds
RESERVOIR_FRAMES = 500_000
# Frames of one matrix product in `assign`; the last block of an utterance is filled up with zeros.
BLOCK_FRAMES = 1024
# Distances closer than this share of their size are compared exactly: far above the rounding of a float64 product.
CLOSE_CALL = 1e-10


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
            reservoir_frames: frames kept; all where there are fewer.
            feature: name of the features.
            frame_shift: seconds between two frames.

        Raises:
            VocabularyError: fewer distinct frames than units, a cut id twice, or features that do not fit each other.
        """
        reservoir = Reservoir(max(reservoir_frames, num_units), seed=seed)
        for cut_id, frames in features:
            reservoir.add(cut_id, frames)
        return cls(_cluster(reservoir.frames(), num_units, seed), feature, frame_shift)

    def assign(self, features: Float[Array, "frame channel"]) -> Int[Array, " frame"]:
        """The nearest centroid of each frame (int32), the lowest id among equally near ones.

        The unit of a frame depends on nothing but the frame: products are taken in float64 over blocks of one size,
        and where two centroids come closer than rounding could decide, the distances of that frame are taken alone.

        Raises:
            VocabularyError: another number of channels than the model's, or values that are not finite.
        """
        if features.shape[1] != self.num_channels or not np.isfinite(features).all():
            raise VocabularyError(
                "the features do not fit the unit model",
                given=f"shape {features.shape}, all finite: {bool(np.isfinite(features).all())}",
                mend=f"Give finite '{self.feature}' features of {self.num_channels} channels.",
            )
        units = np.empty(len(features), dtype=np.int32)
        for start in range(0, len(features), BLOCK_FRAMES):
            block = features[start : start + BLOCK_FRAMES].astype(np.float64)
            units[start : start + BLOCK_FRAMES] = self._assign_block(block)
        return units

    def _assign_block(self, block: Float[Array, "frame channel"]) -> Int[Array, " frame"]:
        centroids = self.centroids.astype(np.float64)
        norms = (centroids**2).sum(axis=1)
        padded = np.pad(block, ((0, BLOCK_FRAMES - len(block)), (0, 0)))
        # Squared distance without the frame's own norm, which is the same for all centroids.
        distances = (norms - 2 * (padded @ centroids.T))[: len(block)]
        units: Int[Array, " frame"] = distances.argmin(axis=1).astype(np.int32)
        margins = CLOSE_CALL * ((block**2).sum(axis=1) + norms.max())
        rivals = (distances <= (distances.min(axis=1) + margins)[:, None]).sum(axis=1)
        for row in np.flatnonzero(rivals > 1):
            units[row] = ((centroids - block[row]) ** 2).sum(axis=1).argmin()
        return units

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


@dataclass
class Reservoir:
    """The frames with the smallest hashes among all that were added: a sample that no order of adding can change.

    The hash of a frame mixes the seed, the cut id and the frame's place in the cut. Memory stays below twice `capacity`
    frames and one cut.
    """

    capacity: int
    seed: int = 0
    _keys: list[Integer[Array, " _"]] = field(default_factory=list, init=False)
    _frames: list[Float[Array, "_ _"]] = field(default_factory=list, init=False)
    _num_kept: int = field(default=0, init=False)
    _highest: int = field(default=2**64 - 1, init=False)
    _seen: set[int] = field(default_factory=set, init=False)

    def add(self, cut_id: str, frames: Float[Array, "frame channel"]) -> None:
        """Offer the frames of one cut.

        Raises:
            VocabularyError: the cut was there before, its channels are not those of the others, or not all finite.
        """
        identity = _hash_id(cut_id, self.seed)
        if identity in self._seen:
            raise VocabularyError("a cut id is there twice", given=cut_id, mend="Give every manifest once.")
        self._seen.add(identity)
        num_channels = self._frames[0].shape[1] if self._frames else max(1, frames.shape[1])
        if frames.shape[1] != num_channels or not np.isfinite(frames).all():
            raise VocabularyError(
                "features are not finite, or have other channels than those before",
                where=f"cut {cut_id}",
                given=f"shape {frames.shape}",
                mend="Compute the features of all cuts in the same way.",
            )
        keys = _hash_frames(identity, len(frames))
        is_low = keys <= np.uint64(self._highest)
        self._keys.append(keys[is_low])
        self._frames.append(frames[is_low].astype(np.float32))
        self._num_kept += int(is_low.sum())
        if self._num_kept > 2 * self.capacity:
            self._prune()

    def frames(self) -> Float[Array, "frame channel"]:
        """The chosen frames (float32) in the order of their hashes."""
        if not self._frames:
            return np.zeros((0, 0), dtype=np.float32)
        self._prune()
        return self._frames[0]

    def _prune(self) -> None:
        keys, frames = np.concatenate(self._keys), np.concatenate(self._frames)
        # Equal hashes, rare as they are, are parted by a value of the frames, to stay free of the order.
        order = np.lexsort((frames[:, 0], keys))[: self.capacity]
        self._keys, self._frames, self._num_kept = [keys[order]], [frames[order]], len(order)
        if len(order) == self.capacity:
            self._highest = int(keys[order[-1]])


def _hash_id(cut_id: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{cut_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _hash_frames(identity: int, num_frames: int) -> Integer[Array, " frame"]:
    """One 64-bit hash a frame: the finaliser of SplitMix64 over a Weyl sequence that starts at the hash of the cut."""
    keys = np.arange(1, num_frames + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(identity)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


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
