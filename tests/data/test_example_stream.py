"""Examples in batches: each once a pass, within the limit, in an order that seed and pass alone decide."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.example_stream import ExampleStream

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=60)


@given(SIZES, st.integers(1, 100), st.booleans())
def test_every_example_stands_in_one_batch_that_keeps_to_the_limit(
    sizes: list[int], limit: int, is_shuffled: bool
) -> None:
    stream = ExampleStream(range(len(sizes)), sizes, limit, seed=3, shuffle=is_shuffled)
    plans = list(stream.plans(0))
    assert sorted(number for plan in plans for number in plan) == list(range(len(sizes)))
    assert all(len(plan) == 1 or len(plan) * max(sizes[number] for number in plan) <= limit for plan in plans)
    if not is_shuffled:
        assert [number for plan in plans for number in plan] == list(range(len(sizes)))


def test_seed_and_pass_decide_the_order() -> None:
    sizes = np.random.default_rng(0).integers(1, 30, 500).tolist()

    def order(seed: int, epoch: int) -> list[tuple[int, ...]]:
        return list(ExampleStream(range(500), sizes, 120, seed=seed).plans(epoch))

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 0) != order(2, 0)


def test_neighbours_in_a_batch_are_of_like_size() -> None:
    sizes = np.random.default_rng(1).integers(1, 100, 2000).tolist()
    plans = list(ExampleStream(range(2000), sizes, 1000, seed=1).plans(0))
    padded = sum(len(plan) * max(sizes[number] for number in plan) for plan in plans)
    assert padded < 1.1 * sum(sizes)
    # And still no pass goes from short to long.
    largest = [max(sizes[number] for number in plan) for plan in plans]
    assert sum(one > other for one, other in itertools.pairwise(largest)) > len(largest) / 4
