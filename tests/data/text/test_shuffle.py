import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.data.text.shuffle import shuffled


@given(count=st.integers(1, 3000), key=st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=60)
def test_every_thing_stands_in_one_place(count: int, key: int) -> None:
    order = shuffled(np.arange(count), count, key)
    assert sorted(order.tolist()) == list(range(count))


@given(count=st.integers(1, 2**40), key=st.integers(0, 2**63 - 1), places=st.lists(st.integers(0, 2**40), max_size=9))
@settings(deadline=None)
def test_a_part_of_the_order_is_known_alone(count: int, key: int, places: list[int]) -> None:
    some = np.array([place % count for place in places], dtype=np.int64)
    whole = shuffled(some, count, key)
    assert ((whole >= 0) & (whole < count)).all()
    assert len(np.unique(whole)) == len(np.unique(some))
    assert [int(shuffled(some[[place]], count, key)[0]) for place in range(len(some))] == whole.tolist()


def test_keys_give_orders_of_their_own_that_look_drawn() -> None:
    orders = [shuffled(np.arange(2000), 2000, key) for key in (0, 1, 2, 1 << 62)]
    for one, other in itertools.combinations(orders, 2):
        # Two random orders agree in one place on average.
        assert (one == other).sum() < 12
    for order in orders:
        assert abs(np.corrcoef(order, np.arange(2000))[0, 1]) < 0.1
        # Neighbours are parted: a third of the length on average.
        assert 500 < np.abs(np.diff(order)).mean() < 830
