import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.decoding.search.groups import Groups


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_rows_come_back_from_the_table(sizes):
    utterances = torch.tensor([3 * place for place, size in enumerate(sizes) for _ in range(size)])
    groups = Groups.of(utterances)
    assert groups.utterances.tolist() == [3 * place for place in range(len(sizes))]
    assert groups.width == max(sizes)
    rows = torch.arange(2.0 * len(utterances)).view(-1, 2)
    table = groups.spread(rows, -1.0)
    assert table.shape == (len(sizes), max(sizes), 2)
    assert torch.equal(groups.gather(table), rows)
    assert int((table[:, :, 0] == -1.0).sum()) == len(sizes) * max(sizes) - sum(sizes)
    first = 0
    for place, size in enumerate(sizes):
        assert torch.equal(table[place, :size], rows[first : first + size])
        assert int(groups.starts[place]) == first
        first += size


def test_no_rows():
    groups = Groups.of(torch.tensor([], dtype=torch.long))
    assert groups.width == 0
    assert len(groups.slots()) == 0
