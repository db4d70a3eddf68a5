import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.stacks import mask
from sprachbund.nn.length_regulator import LONGEST, lengthen, rounded_durations

rows = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 4), min_size=width, max_size=width), min_size=1, max_size=3)
)


@settings(deadline=None)
@given(rows)
def test_each_state_lasts_as_long_as_it_is_said(durations: list[list[int]]) -> None:
    states = torch.randn(len(durations), len(durations[0]), 2, generator=torch.Generator().manual_seed(0))
    found = lengthen(states, torch.tensor(durations))
    assert found.lengths.tolist() == [sum(row) for row in durations]
    assert found.states.shape[1] == max(*map(sum, durations), 1, 1)
    for row, counts in enumerate(durations):
        expected = [state for state, count in zip(states[row], counts, strict=True) for _ in range(count)]
        assert found.states[row, : len(expected)].tolist() == [state.tolist() for state in expected]
        assert not found.states[row, len(expected) :].any()


def test_a_state_gets_the_gradient_of_all_its_copies() -> None:
    states = torch.zeros(1, 3, 1, requires_grad=True)
    lengthened = lengthen(states, torch.tensor([[2, 0, 3]])).states
    (lengthened[0, :, 0] * torch.tensor([1.0, 10, 100, 1000, 10000])).sum().backward()
    assert states.grad is not None
    assert states.grad[0, :, 0].tolist() == [11.0, 0.0, 11100.0]


@settings(deadline=None)
@given(st.lists(st.integers(0, LONGEST), min_size=1, max_size=5))
def test_logs_of_durations_are_understood(durations: list[int]) -> None:
    logs = torch.log1p(torch.tensor([durations]).float())
    assert rounded_durations(logs, mask([len(durations)])).tolist() == [durations]


def test_durations_stay_within_reason() -> None:
    logs = torch.tensor([[-5.0, 0.4, 80.0, 1.0, 80.0]])
    assert rounded_durations(logs, mask([4, 5])[:1]).tolist() == [[0, 0, LONGEST, 2, 0]]
