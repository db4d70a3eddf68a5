"""A shuffled order of any length of which any part is known at once: nothing is stored, nothing is drawn in turn."""

import numpy as np

from sprachbund.shapes import Array, Int, Integer

_ROUNDS = 6


def shuffled(places: Int[Array, " place"], count: int, key: int) -> Int[Array, " place"]:
    """Which of `count` things stand at `places` of the order that `key` decides.

    A Feistel network over the next larger power of four, walked until it comes back among the `count` things; so all
    places together give each thing once.

    Args:
        places: from 0 to `count` - 1.
        count: of the things.
        key: below 2**63.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    values = _permuted(places.astype(np.uint64), half, key)
    outside = np.flatnonzero(values >= count)
    while len(outside):
        values[outside] = _permuted(values[outside], half, key)
        outside = outside[values[outside] >= count]
    return values.astype(np.int64)


def _permuted(values: Integer[Array, " value"], half: int, key: int) -> Integer[Array, " value"]:
    """A permutation of the numbers of twice `half` bits."""
    mask, width = np.uint64((1 << half) - 1), np.uint64(half)
    left, right = values >> width, values & mask
    for number in range(_ROUNDS):
        left, right = right, left ^ (_mixed(right, key + number * 0x9E3779B97F4A7C15) & mask)
    return (left << width) | right


def _mixed(values: Integer[Array, " value"], key: int) -> Integer[Array, " value"]:
    """A hash of 64 bits (the finaliser of splitmix64)."""
    mixed = values + np.uint64(key % (1 << 64))
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
