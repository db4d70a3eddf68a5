"""A sample of frames that no order of adding can change, of bounded size."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Array, Float, Integer


@dataclass
class Reservoir:
    """The frames with the smallest hashes among all that were added: a sample that no order of adding can change.

    The hash of a frame mixes the seed, the cut id and the frame's place in the cut. There is room for a quarter more
    than `capacity` frames; whenever it is full, the frames with the highest hashes make way.
    """

    capacity: int
    seed: int = 0
    _keys: Integer[Array, " place"] | None = field(default=None, init=False)
    _frames: Float[Array, "place channel"] | None = field(default=None, init=False)
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
        room = self._room(frames.shape[1])
        if frames.shape[1] != room.shape[1] or not np.isfinite(frames).all():
            raise VocabularyError(
                "features are not finite, or have other channels than those before",
                where=f"cut {cut_id}",
                given=f"shape {frames.shape}",
                mend="Compute the features of all cuts in the same way.",
            )
        keys = _hash_frames(identity, len(frames))
        is_low = keys <= np.uint64(self._highest)
        keys, frames = keys[is_low], frames[is_low]
        while len(keys):
            if self._num_kept == len(room):
                self._prune()
            count = min(len(keys), len(room) - self._num_kept)
            self._put(keys[:count], frames[:count])
            keys, frames = keys[count:], frames[count:]

    def frames(self) -> Float[Array, "frame channel"]:
        """The chosen frames (float32) in the order of their hashes."""
        if self._frames is None:
            return np.zeros((0, 0), dtype=np.float32)
        chosen: Array = self._frames[self._order()[: self.capacity]]
        return chosen

    def _room(self, num_channels: int) -> Float[Array, "place channel"]:
        if self._frames is None:
            num_places = self.capacity + self.capacity // 4 + 1
            self._keys = np.empty(num_places, dtype=np.uint64)
            self._frames = np.empty((num_places, num_channels), dtype=np.float32)
        return self._frames

    def _put(self, keys: Integer[Array, " frame"], frames: Float[Array, "frame channel"]) -> None:
        assert self._keys is not None, "frames are put where there is room"
        assert self._frames is not None, "frames are put where there is room"
        places = slice(self._num_kept, self._num_kept + len(keys))
        self._keys[places], self._frames[places] = keys, frames
        self._num_kept += len(keys)

    def _order(self) -> Integer[Array, " frame"]:
        """Places of the frames in the order of their hashes."""
        assert self._keys is not None, "there are frames to choose from"
        assert self._frames is not None, "there are frames to choose from"
        # Equal hashes, rare as they are, are parted by a value of the frames, to stay free of the order.
        order: Array = np.lexsort((self._frames[: self._num_kept, 0], self._keys[: self._num_kept]))
        return order

    def _prune(self) -> None:
        """Move the frames that stay into the places of those that go, without a copy of them all."""
        assert self._keys is not None, "there are frames to choose from"
        assert self._frames is not None, "there are frames to choose from"
        order = self._order()
        stays = np.zeros(self._num_kept, dtype=bool)
        stays[order[: self.capacity]] = True
        free = np.flatnonzero(~stays[: self.capacity])
        moving = self.capacity + np.flatnonzero(stays[self.capacity :])
        if self.capacity:
            self._highest = int(self._keys[order[self.capacity - 1]])
        self._keys[free], self._frames[free] = self._keys[moving], self._frames[moving]
        self._num_kept = self.capacity


def _hash_id(cut_id: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{cut_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _hash_frames(identity: int, num_frames: int) -> Integer[Array, " frame"]:
    """One 64-bit hash a frame: the finaliser of SplitMix64 over a Weyl sequence that starts at the hash of the cut."""
    keys = np.arange(1, num_frames + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(identity)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
