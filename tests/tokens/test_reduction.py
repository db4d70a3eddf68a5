import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.tokens.reduction import reduced


def test_the_example_of_the_paper() -> None:
    found = reduced(np.array([17, 17, 296, 296, 20]))
    assert found.units.tolist() == [17, 296, 20]
    assert found.lengths.tolist() == [2, 2, 1]


@given(st.lists(st.integers(0, 3)), st.sampled_from([np.int16, np.int32, np.int64]))
def test_runs_are_what_they_were_made_of(units: list[int], kind: type[np.integer]) -> None:
    found = reduced(np.array(units, dtype=kind))
    expected = [(unit, len(list(run))) for unit, run in itertools.groupby(units)]
    assert list(zip(found.units.tolist(), found.lengths.tolist(), strict=True)) == expected
    assert found.units.dtype == kind
    assert np.repeat(found.units, found.lengths).tolist() == units
