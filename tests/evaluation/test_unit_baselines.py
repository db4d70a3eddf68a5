"""The simple ways to units: the commonest unit of a phone, and other renderings of the same phone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.paired_units import PairedExample
from sprachbund.evaluation.unit_baselines import OtherRenderings, commonest_units, stretched


def example(name: str, *phones: tuple[str, list[int]]) -> PairedExample:
    units = np.array([unit for _, found in phones for unit in found], np.int64)
    durations = np.array([len(found) for _, found in phones])
    return PairedExample(name, tuple(phone for phone, _ in phones), durations, units)


def test_the_commonest_unit_of_a_phone() -> None:
    heard = [example("a", ("T", [5, 5, 1]), ("AA", [2])), example("b", ("T", [1, 5]), ("AA", [0, 2, 0]), ("S", []))]
    # Of 0 and 2, equally frequent, the lower; nothing is said of a phone that never lasts.
    assert commonest_units(heard) == {"T": 5, "AA": 0}


LEARNED = [
    example("near", ("T", [1]), ("AA", [10, 11]), ("S", [2])),
    example("left", ("T", [1]), ("AA", [20, 20, 21]), ("Z", [3])),
    example("far", ("B", [4]), ("AA", [30]), ("P", [5])),
    example("silence", ("SIL", [9])),
]


def test_the_closest_context_gives_the_rendering() -> None:
    others = OtherRenderings(LEARNED)
    same = others.of(example("x", ("T", [0]), ("AA", [0, 0, 0, 0]), ("S", [0])))
    assert same.tolist() == [1, 10, 10, 11, 11, 2]
    # One neighbour will do, then none at all; what was never heard is silence, and what lasts for nothing nothing.
    half = others.of(example("y", ("T", [0]), ("AA", [0]), ("NG", [0]), ("AA", []), ("P", [0, 0])))
    assert half[1] in (10, 11, 20, 21)
    assert half[2] == 9
    assert half[3:].tolist() == [5, 5]
    assert others.of(example("z", ("M", [0]), ("AA", [0]), ("M", [0])))[1] in (10, 11, 20, 21, 30)


def test_seed_and_clip_choose_among_equals() -> None:
    learned = [example(str(number), ("T", [number])) for number in range(40)]
    clips = [example(f"clip-{number}", ("T", [0])) for number in range(30)]

    def chosen(seed: int) -> list[int]:
        return [int(OtherRenderings(learned, seed).of(clip)[0]) for clip in clips]

    assert chosen(1) == chosen(1)
    assert chosen(1) != chosen(2)
    assert len(set(chosen(1))) > 10


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12), st.integers(1, 30))
def test_stretching_keeps_the_order(units: list[int], length: int) -> None:
    found = stretched(np.arange(len(units)), length)
    assert len(found) == length
    assert (np.diff(found) >= 0).all()
    # Every one is there as often as every other, but for one.
    counts = np.bincount(found, minlength=len(units))
    assert counts.max() - counts.min() <= 1
    assert stretched(np.array(units), len(units)).tolist() == units
