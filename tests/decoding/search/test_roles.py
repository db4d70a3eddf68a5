import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.search.roles import AllowedTokens, BeamConfig, LengthNormalized, Weighted
from sprachbund.errors import RecipeError


@pytest.mark.parametrize(
    "choice",
    [
        {"beam": 0},
        {"num_best": 0},
        {"max_tokens": 0},
        {"min_tokens": -1},
        {"max_tokens_per_frame": 0.0},
        {"length_penalty": math.nan},
        {"length_bonus": math.inf},
        {"forbidden": (1, 2)},
    ],
)
def test_choices_that_cannot_work_are_refused(choice):
    with pytest.raises(RecipeError):
        BeamConfig(**choice)


def test_limit_is_the_smaller_of_both_and_never_nothing():
    config = BeamConfig(max_tokens=10, max_tokens_per_frame=0.3)
    assert [config.limit(frames) for frames in (0, 1, 10, 11, 1000)] == [0, 1, 3, 4, 10]


def test_allowed_tokens():
    rule = AllowedTokens(eos=2, min_tokens=1, forbidden=(0, 1))
    log_probs = torch.arange(10.0).reshape(2, 5)
    never = -torch.inf
    first = rule.restrict(log_probs, 0, torch.tensor([0, 3]))
    assert first.tolist() == [[never, never, 2.0, never, never], [never, never, never, 8.0, 9.0]]
    later = rule.restrict(log_probs, 3, torch.tensor([4, 3]))
    assert later.tolist() == [[never, never, 2.0, 3.0, 4.0], [never, never, 7.0, never, never]]
    assert torch.equal(log_probs, torch.arange(10.0).reshape(2, 5))


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.5, 1.0, 2.0])
def test_no_continuation_scores_more_than_the_best_possible(penalty):
    ranker = LengthNormalized(penalty)
    for log_probability, num_tokens, more in itertools.product((-5.0, -0.5, 0.0), (1, 4), (0, 1, 6)):
        bound = ranker.best_possible(log_probability, num_tokens, 10)
        assert ranker.score(log_probability - 0.1 * more, num_tokens + more) <= bound


def test_length_normalisation_counts_the_end():
    assert LengthNormalized(1.0).score(-6.0, 2) == pytest.approx(-2.0)
    assert LengthNormalized(2.0).score(-8.0, 1) == pytest.approx(-2.0)
    assert LengthNormalized(0.0).score(-8.0, 5) == pytest.approx(-8.0)


@settings(deadline=None, max_examples=200)
@given(
    penalty=st.floats(-2.0, 3.0),
    bonus=st.floats(-3.0, 3.0),
    log_probability=st.floats(-50.0, 0.0),
    num_tokens=st.integers(0, 5),
    more=st.integers(0, 12),
)
def test_nor_with_a_bonus(penalty, bonus, log_probability, num_tokens, more):
    ranker = LengthNormalized(penalty, bonus)
    bound = ranker.best_possible(log_probability, num_tokens, num_tokens + 12)
    assert ranker.score(log_probability, num_tokens + more) <= bound + 1e-9 * (1 + abs(bound))


class Silent:
    def score(self, last_tokens):
        return torch.zeros(len(last_tokens), 5)

    def reorder(self, rows):
        pass


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_weights_that_are_none(weight):
    with pytest.raises(RecipeError, match="weight of lm"):
        Weighted("lm", Silent(), weight)
