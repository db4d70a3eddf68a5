import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.nn.dropout import dropout, dropped_places, rounded_rate


@pytest.mark.parametrize("rate", [0.003, 0.1, 0.5, 0.97])
def test_so_many_places_are_dropped_and_the_mean_stays(rate):
    torch.manual_seed(0)
    values = torch.ones(500, 1001)
    result = dropout(values, rate, training=True)
    share = (result == 0).double().mean().item()
    assert share == pytest.approx(rate, abs=5 * (rate * (1 - rate) / values.numel()) ** 0.5)
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - rounded_rate(rate))))
    assert result.double().mean().item() == pytest.approx(1.0, rel=0.05)


def test_places_are_independent():
    """Four places come from one draw: none may tell of another."""
    torch.manual_seed(0)
    dropped = dropped_places(torch.Size([200_000, 4]), 0.3).double()
    correlation = torch.corrcoef(dropped.T) - torch.eye(4)
    assert correlation.abs().max() < 5 / 200_000**0.5
    rows = dropped[:, 0] - 0.3
    assert abs((rows[1:] * rows[:-1]).mean().item()) < 5 * 0.21 / 200_000**0.5


@settings(deadline=None, max_examples=30)
@given(shape=st.lists(st.integers(0, 7), min_size=0, max_size=4), rate=st.floats(0.0, 1.0))
def test_any_shape_and_rate(shape, rate):
    values = torch.rand(shape) + 1.0
    result = dropout(values, rate, training=True)
    assert result.shape == values.shape
    assert result.isfinite().all()
    if rate == 1.0:
        assert not result.any()
    assert abs(rounded_rate(rate) - rate) <= 2**-17


def test_the_gradient_is_zero_where_values_are():
    torch.manual_seed(0)
    values = torch.rand(40, 5, requires_grad=True)
    result = dropout(values, 0.25, training=True)
    result.sum().backward()
    torch.testing.assert_close(values.grad, torch.where(result == 0, 0.0, 1 / 0.75))


def test_evaluation_and_a_rate_of_zero_change_nothing():
    values = torch.rand(3)
    assert dropout(values, 0.9, training=False) is values
    assert dropout(values, 0.0, training=True) is values


def test_the_global_seed_decides():
    values = torch.ones(1000)
    first, again, other = (dropout(values, 0.5, torch.manual_seed(seed) is not None) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_values_keep_their_type():
    assert dropout(torch.ones(8, dtype=torch.bfloat16), 0.5, training=True).dtype == torch.bfloat16
