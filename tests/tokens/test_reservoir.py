import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Array
from sprachbund.tokens.reservoir import Reservoir


def cuts_of_frames(num_cuts: int = 12) -> list[tuple[str, Array]]:
    generator = np.random.default_rng(0)
    lengths = generator.integers(20, 60, size=num_cuts)
    return [(f"cut-{n}", generator.standard_normal((size, 6)).astype(np.float32)) for n, size in enumerate(lengths)]


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(12)), st.integers(1, 700))
def test_it_holds_the_same_frames_in_any_order(order: list[int], capacity: int) -> None:
    cuts = cuts_of_frames()
    straight, shuffled = Reservoir(capacity, seed=1), Reservoir(capacity, seed=1)
    for number in range(12):
        straight.add(*cuts[number])
        shuffled.add(*cuts[order[number]])
    frames = straight.frames()
    assert frames.tobytes() == shuffled.frames().tobytes()
    assert len(frames) == min(capacity, sum(len(each) for _, each in cuts))


@given(st.integers(1, 60))
def test_a_small_sample_is_the_first_part_of_a_large_one(capacity: int) -> None:
    small, large = Reservoir(capacity), Reservoir(10_000)
    for cut in cuts_of_frames():
        small.add(*cut)
        large.add(*cut)
    assert np.array_equal(small.frames(), large.frames()[:capacity])


def test_it_is_bounded_and_drawn_evenly() -> None:
    reservoir = Reservoir(500)
    for number in range(200):
        reservoir.add(f"cut-{number}", np.full((100, 1), number, dtype=np.float32))
        assert reservoir._frames is not None
        assert len(reservoir._frames) == 626
    chosen = np.bincount(reservoir.frames()[:, 0].astype(int), minlength=200)
    # 2.5 frames a cut are expected; a cut of more than 15 would be a one in 10^8 event.
    assert chosen.sum() == 500
    assert chosen.max() <= 15
    assert (chosen > 0).mean() > 0.8


def test_the_seed_changes_which_frames_are_kept() -> None:
    kept = []
    for seed in (0, 1):
        reservoir = Reservoir(20, seed=seed)
        for cut in cuts_of_frames():
            reservoir.add(*cut)
        kept.append(reservoir.frames().tobytes())
    assert kept[0] != kept[1]


def test_cuts_without_frames_are_nothing() -> None:
    reservoir = Reservoir(5)
    assert reservoir.frames().shape == (0, 0)
    reservoir.add("empty", np.zeros((0, 3), np.float32))
    assert reservoir.frames().shape == (0, 3)


@pytest.mark.parametrize("frames", [np.zeros((4, 7), np.float32), np.full((4, 6), np.nan, np.float32)])
def test_frames_that_do_not_fit_are_refused(frames: Array) -> None:
    reservoir = Reservoir(5)
    reservoir.add("cut-0", np.zeros((2, 6), np.float32))
    with pytest.raises(VocabularyError, match="not finite, or have other channels"):
        reservoir.add("cut-1", frames)
    with pytest.raises(VocabularyError, match="twice"):
        reservoir.add("cut-0", np.zeros((2, 6), np.float32))
