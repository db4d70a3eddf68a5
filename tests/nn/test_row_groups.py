import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sprachbund.nn.row_groups import RowGroups

owners = st.lists(st.integers(0, 4), min_size=1, max_size=9)


@settings(deadline=None, max_examples=60)
@given(owners=owners, length=st.integers(1, 3))
@example(owners=[4, 3, 2, 1, 0], length=2)
def test_rows_stand_together_by_utterance_and_come_back(owners, length):
    groups = RowGroups.of(torch.tensor(owners), 5)
    assert groups.num_slots == max(owners.count(one) for one in owners)
    values = 1.0 + torch.arange(len(owners) * 2 * length * 3).view(len(owners), 2, length, 3)
    spread = groups.spread(values)
    assert spread.shape == (5, 2, groups.num_slots * length, 3)
    for utterance in range(5):
        rows = [row for row, owner in enumerate(owners) if owner == utterance]
        expected = torch.zeros(2, groups.num_slots * length, 3)
        for slot, row in enumerate(rows):
            expected[:, slot * length : (slot + 1) * length] = values[row]
        assert torch.equal(spread[utterance], expected)
    assert torch.equal(groups.collect(spread), values)


@settings(deadline=None, max_examples=40)
@given(owners=owners)
@example(owners=[4, 3, 2, 1, 0])
@example(owners=[0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
def test_a_table_is_one_whose_slots_are_full_and_in_order(owners):
    groups = RowGroups.of(torch.tensor(owners), 5)
    every = [one for one in range(5) for _ in range(groups.num_slots)]
    assert groups.is_table == (owners == every)


def test_a_table_is_spread_without_a_copy():
    groups = RowGroups.of(torch.tensor([0, 0, 1, 1]), 2)
    states = torch.randn(4, 3, 2, 5)  # row position head dim
    assert groups.spread(states.transpose(1, 2)).data_ptr() == states.data_ptr()


def test_there_may_be_no_rows():
    groups = RowGroups.of(torch.zeros(0, dtype=torch.long), 3)
    assert (groups.num_slots, groups.num_utterances) == (0, 3)
    spread = groups.spread(torch.zeros(0, 2, 1, 4))
    assert spread.shape == (3, 2, 0, 4)
    assert len(groups.collect(spread)) == 0
