import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.search.beam import Live, find_extensions, first_largest, search_beam
from sprachbund.decoding.search.roles import BeamConfig, Weighted
from sprachbund.errors import CheckpointError, RecipeError


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


def search(table, limits, config):
    return search_beam([Weighted("table", Table(table, len(limits)), 1.0)], torch.tensor(limits), config)


def live_of(utterances, log_probs):
    rows = len(utterances)
    tokens = torch.zeros(rows, 0, dtype=torch.long)
    return Live(torch.tensor(utterances), tokens, torch.tensor(log_probs).double(), torch.zeros(rows, 1))


# Tokens: 0 is never said, 1 and 3 are words, 2 starts and ends. The greedy first word 1 leads into a poor sentence.
GARDEN_PATH = [
    [0.25, 0.25, 0.25, 0.25],
    [0.0, 0.35, 0.3, 0.35],
    [0.0, 0.55, 0.0, 0.45],
    [0.0, 0.05, 0.9, 0.05],
]


def test_a_wider_beam_leaves_the_garden_path():
    config = {"max_tokens": 6, "length_penalty": 0.0}
    greedy = search(GARDEN_PATH, [6], BeamConfig(beam=1, **config))
    wide = search(GARDEN_PATH, [6], BeamConfig(beam=3, **config))
    assert greedy[0][0].tokens[0] == 1
    assert wide[0][0].tokens == (3,)
    assert wide[0][0].log_probability > greedy[0][0].log_probability


def test_the_search_stops_as_soon_as_no_live_hypothesis_can_win():
    scorer = Table(GARDEN_PATH, 1)
    search_beam([Weighted("table", scorer, 1.0)], torch.tensor([500]), BeamConfig(beam=3, length_penalty=0.0))
    assert scorer.calls < 6


def test_equal_scores_are_taken_in_order():
    live = live_of([0, 0, 1], [0.0, 0.0, 0.0])
    extensions = find_extensions(live, torch.zeros(3, 4), 6)
    assert extensions.rows.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert extensions.tokens.tolist() == [0, 1, 2, 3, 0, 1, 0, 1, 2, 3]
    many = find_extensions(live, torch.zeros(3, 5000), 9000)
    assert many.tokens.tolist() == [*range(5000), *range(4000), *range(5000)]


def test_impossible_extensions_are_none():
    live = live_of([0, 1], [0.0, -1.0])
    log_probs = torch.tensor([[-torch.inf, -1.0], [-torch.inf, -torch.inf]])
    extensions = find_extensions(live, log_probs, 5)
    assert extensions.rows.tolist() == [0] and extensions.tokens.tolist() == [1]


def test_where_nothing_may_be_said_the_hypothesis_is_empty():
    config = BeamConfig(forbidden=(0, 1, 3), min_tokens=1)
    (found,) = search(GARDEN_PATH, [4], config)
    assert [hypothesis.tokens for hypothesis in found] == [()]
    assert found[0].score == -torch.inf


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(-3, 3), min_size=1, max_size=30), count=st.integers(1, 40), copies=st.integers(1, 3))
def test_first_largest_is_a_stable_sort(values, count, copies):
    table = torch.tensor([values] * copies).double()
    largest, places = first_largest(table, count)
    expected = sorted(range(len(values)), key=lambda place: (-values[place], place))[:count]
    assert places.tolist() == [expected] * copies
    assert largest.tolist() == [[values[place] for place in expected]] * copies


def test_scorers_share_the_search_and_their_sums_are_kept():
    config = BeamConfig(beam=3, num_best=3, max_tokens=4, length_penalty=0.0)
    reversed_path = [row[::-1] for row in GARDEN_PATH]
    scorers = [
        Weighted("first", Table(GARDEN_PATH, 2), 0.5),
        Weighted("second", Table([[0.25] * 4] * 4, 2), 2.0),
        Weighted("silent", Table(reversed_path, 2), 0.0),
    ]
    for found in search_beam(scorers, torch.tensor([4, 3]), config):
        for hypothesis in found:
            path = [2, *hypothesis.tokens, 2]
            sums = [
                sum(float(weighted.scorer.table[last, token]) for last, token in itertools.pairwise(path))
                for weighted in scorers
            ]
            assert list(hypothesis.parts) == ["first", "second", "silent"]
            assert list(hypothesis.parts.values()) == pytest.approx(sums)
            assert hypothesis.log_probability == pytest.approx(0.5 * sums[0] + 2.0 * sums[1])
            assert hypothesis.score == pytest.approx(hypothesis.log_probability)


def test_a_bonus_makes_transcripts_longer():
    plain = BeamConfig(beam=4, max_tokens=8, length_penalty=0.0)
    rewarded = BeamConfig(beam=4, max_tokens=8, length_penalty=0.0, length_bonus=2.0)
    ((short,),) = search(GARDEN_PATH, [8], plain)
    ((long,),) = search(GARDEN_PATH, [8], rewarded)
    assert len(long.tokens) == 8 > len(short.tokens)
    assert long.score == pytest.approx(long.log_probability + 16.0)


def test_what_has_no_say_or_no_name_of_its_own_is_refused():
    table = Table(GARDEN_PATH, 1)
    for weighted in ([], [Weighted("a", table, 0.0)], [Weighted("a", table, 1.0), Weighted("a", table, 1.0)]):
        with pytest.raises(RecipeError):
            search_beam(weighted, torch.tensor([3]), BeamConfig())


def test_the_scorer_without_numbers_is_named():
    broken = Table([[float("nan")] * 4] * 4, 1)
    with pytest.raises(CheckpointError, match="scorer lm gives values that are not numbers"):
        search_beam(
            [Weighted("decoder", Table(GARDEN_PATH, 1), 1.0), Weighted("lm", broken, 0.1)],
            torch.tensor([3]),
            BeamConfig(),
        )


def test_the_rule_of_fairseq_looks_at_twice_the_beam():
    # First the end is second: a beam of 2 has one live hypothesis left, that of fairseq two.
    table = [[0.2] * 5, [0.1, 0.3, 0.1, 0.2, 0.3], [0.0, 0.5, 0.3, 0.15, 0.05], [0.0, 0.0, 0.9, 0.1, 0.0], [0.2] * 5]
    choices = {"beam": 2, "num_best": 2, "max_tokens": 1, "min_tokens": 0, "length_penalty": 0.0}
    (found,) = search(table, [1], BeamConfig(ending="fairseq", **choices))
    assert [hypothesis.tokens for hypothesis in found] == [(), (3,)]
    (found,) = search(table, [1], BeamConfig(**choices))
    assert [hypothesis.tokens for hypothesis in found] == [(), (1,)]
