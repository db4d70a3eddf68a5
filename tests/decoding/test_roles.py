import itertools
import math

import pytest
import torch

from sprachbund.decoding.roles import AllowedTokens, BeamConfig, Finished, LengthNormalized
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


def test_finished_keeps_the_best_in_order_and_knows_when_it_is_safe():
    pool = Finished(2, LengthNormalized(1.0))
    pool.add([5], -4.0)
    assert pool.is_beaten_by(-100.0, 1, 1)
    pool.add([6], -1.0)
    pool.add([7], -2.0)
    pool.add([8], -2.0)
    assert [hypothesis.tokens for hypothesis in pool.hypotheses] == [(6,), (7,)]
    assert pool.is_beaten_by(-3.9, 1, 3)
    assert not pool.is_beaten_by(-4.0, 1, 3)
