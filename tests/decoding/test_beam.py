import torch

from sprachbund.decoding.beam import Live, find_extensions, search_beam
from sprachbund.decoding.roles import BeamConfig


class Table:
    """A scorer that knows one fixed list of log-probabilities for each last token, whatever came before."""

    def __init__(self, table, num_rows):
        self.table = torch.tensor(table).log()
        self.num_rows = num_rows
        self.calls = 0

    def score(self, last_tokens):
        assert len(last_tokens) == self.num_rows
        self.calls += 1
        return self.table[last_tokens]

    def reorder(self, rows):
        assert int(rows.max()) < self.num_rows
        self.num_rows = len(rows)


# Tokens: 0 is never said, 1 and 3 are words, 2 starts and ends. The greedy first word 1 leads into a poor sentence.
GARDEN_PATH = [
    [0.25, 0.25, 0.25, 0.25],
    [0.0, 0.35, 0.3, 0.35],
    [0.0, 0.55, 0.0, 0.45],
    [0.0, 0.05, 0.9, 0.05],
]


def test_a_wider_beam_leaves_the_garden_path():
    config = {"max_tokens": 6, "length_penalty": 0.0}
    greedy = search_beam(Table(GARDEN_PATH, 1), torch.tensor([6]), BeamConfig(beam=1, **config))
    wide = search_beam(Table(GARDEN_PATH, 1), torch.tensor([6]), BeamConfig(beam=3, **config))
    assert greedy[0][0].tokens[0] == 1
    assert wide[0][0].tokens == (3,)
    assert wide[0][0].log_probability > greedy[0][0].log_probability


def test_the_search_stops_as_soon_as_no_live_hypothesis_can_win():
    scorer = Table(GARDEN_PATH, 1)
    search_beam(scorer, torch.tensor([500]), BeamConfig(beam=3, length_penalty=0.0))
    assert scorer.calls < 6


def test_equal_scores_are_taken_in_order():
    live = Live(torch.tensor([0, 0, 1]), torch.zeros(3, 0, dtype=torch.long), torch.zeros(3))
    extensions = find_extensions(live, torch.zeros(3, 4), 6)
    assert extensions.rows.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert extensions.tokens.tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 2, 3]
    many = find_extensions(live, torch.zeros(3, 5000), 9000)
    assert many.tokens.tolist() == [*range(5000), *range(4000), *range(5000)]


def test_impossible_extensions_are_none():
    live = Live(torch.tensor([0, 1]), torch.zeros(2, 0, dtype=torch.long), torch.tensor([0.0, -1.0]))
    log_probs = torch.tensor([[-torch.inf, -1.0], [-torch.inf, -torch.inf]])
    extensions = find_extensions(live, log_probs, 5)
    assert extensions.rows.tolist() == [0] and extensions.tokens.tolist() == [1]


def test_where_nothing_may_be_said_the_hypothesis_is_empty():
    config = BeamConfig(forbidden=(0, 1, 3), min_tokens=1)
    (found,) = search_beam(Table(GARDEN_PATH, 1), torch.tensor([4]), config)
    assert [hypothesis.tokens for hypothesis in found] == [()]
    assert found[0].score == -torch.inf
