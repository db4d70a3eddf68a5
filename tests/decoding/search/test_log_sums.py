import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.decoding.search.log_sums import LEAST_SUM, finite_scale, log_sums, scaled_exp

LOGARITHMS = st.one_of(st.floats(-5000.0, 100.0), st.just(-torch.inf))


@given(rows=st.integers(1, 4), data=st.data())
def test_sums_are_those_of_logsumexp(rows, data):
    line = st.lists(LOGARITHMS, min_size=6, max_size=6)
    values = torch.tensor(data.draw(st.lists(line, min_size=rows, max_size=rows)), dtype=torch.float64)
    assert torch.allclose(log_sums(values), values.logsumexp(dim=1), rtol=1e-14, atol=1e-12)


def test_what_is_far_below_its_scale_is_nothing():
    values = torch.tensor([[0.0, -800.0, -torch.inf]], dtype=torch.float64)
    small = scaled_exp(values, torch.zeros(1, 1, dtype=torch.float64))[0]
    assert small[0] == 1.0
    assert (small[1:] < LEAST_SUM * 1e-12).all()


def test_a_scale_is_a_number():
    largest = torch.tensor([[-torch.inf], [-3.0]], dtype=torch.float64)
    assert finite_scale(largest).isfinite().all()
    assert finite_scale(largest)[1, 0] == -3.0
