import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.nn.attention import KeysValues
from sprachbund.nn.past import FIRST_CAPACITY, Past
from sprachbund.nn.row_groups import RowGroups

HEADS, DIM, LAYERS = 2, 3, 2


class Rows:
    """The oracle: every row has a list of its own, which is copied with the row."""

    def __init__(self, num_utterances):
        self.owners = list(range(num_utterances))
        self.numbers = [[] for _ in self.owners]  # every position ever made has its number
        self.next = 0

    def make(self, num_new):
        """Numbers of the new positions, by row."""
        made = []
        for numbers in self.numbers:
            made.append(list(range(self.next, self.next + num_new)))
            self.next += num_new
            numbers.extend(made[-1])
        return made

    def choose(self, rows):
        self.owners = [self.owners[row] for row in rows]
        self.numbers = [list(self.numbers[row]) for row in rows]


def stored(numbers, layer):
    """Keys and values that tell position and layer: row head position dim."""
    keys = 1000.0 * layer + torch.tensor(numbers, dtype=torch.float32)[:, None, :, None].expand(-1, HEADS, -1, DIM)
    return KeysValues(keys, -keys)


def check(past, rows, num_new, groups_of_rows):
    """One step, in which every row must see its own positions, in their order, in all layers.

    Returns how many entries an utterance has.
    """
    mask = past.begin(num_new)
    made = rows.make(num_new)
    for layer in range(LAYERS):
        keys, values = past.append(layer, stored(made, layer))
        assert torch.equal(keys, -values)
        for row, place in enumerate(groups_of_rows.places.tolist()):
            utterance, slot = divmod(place, groups_of_rows.num_slots)
            for new in range(num_new):
                query = slot * num_new + new
                seen = slice(None) if mask is None else mask[utterance, 0, query]
                hidden = num_new - 1 - new
                expected = rows.numbers[row][: len(rows.numbers[row]) - hidden]
                for head in range(HEADS):
                    found = keys[utterance, head, seen, 0] - 1000.0 * layer
                    assert found.tolist() == expected
    past.finish()
    assert past.length == len(rows.numbers[0])
    return keys.shape[2]


def regrouped(past, rows, chosen, drops):
    """Reorder both; `drops` leaves out the utterances without rows."""
    rows.choose(chosen)
    owners = torch.tensor(rows.owners)
    kept, number = None, past.groups.num_utterances
    if drops:
        kept = owners.unique()
        owners, number = torch.searchsorted(kept, owners), len(kept)
        rows.owners = owners.tolist()
    groups = RowGroups.of(owners, number)
    past.reorder(torch.tensor(chosen), groups, kept)
    return groups


@settings(deadline=None, max_examples=40)
@given(num_utterances=st.integers(1, 3), data=st.data())
def test_every_row_sees_what_its_ancestors_made(num_utterances, data):
    groups = RowGroups.of(torch.arange(num_utterances), num_utterances)
    past, rows = Past(groups, LAYERS), Rows(num_utterances)
    for _ in range(data.draw(st.integers(1, 12), label="steps")):
        check(past, rows, data.draw(st.sampled_from([1, 1, 1, 3]), label="new"), groups)
        if data.draw(st.booleans(), label="reorders"):
            row = st.integers(0, len(rows.owners) - 1)
            chosen = data.draw(st.lists(row, min_size=1, max_size=7), label="rows")
            groups = regrouped(past, rows, chosen, data.draw(st.booleans(), label="drops"))


def test_what_no_row_sees_is_cleared_away():
    """Five rows of which one survives every step: of five entries a step, one is ever needed."""
    groups = RowGroups.of(torch.arange(1), 1)
    past, rows, steps = Past(groups, LAYERS), Rows(1), 100
    longest = 0
    for _ in range(steps):
        longest = max(longest, check(past, rows, 1, groups))
        groups = regrouped(past, rows, [0] * 5, drops=False)
    assert FIRST_CAPACITY < longest <= 4 * steps, longest  # and not five a step


def test_rows_that_go_on_alone_need_no_mask():
    groups = RowGroups.of(torch.arange(3), 3)
    past, rows = Past(groups, LAYERS), Rows(3)
    for chosen in ([0, 1, 2], [2, 0, 1], [0, 2], [1]):
        groups = regrouped(past, rows, chosen, drops=False)
        assert past.begin(1) is None
        check(past, rows, 1, groups)
    regrouped(past, rows, [0, 0], drops=False)
    assert past.begin(1) is not None
