import pytest

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.ending import BestFinished, FirstFinished, ending_of
from sprachbund.decoding.search.roles import BeamConfig, LengthNormalized

RANKER = LengthNormalized(1.0)


def finished(token, log_probability):
    return Hypothesis((token,), RANKER.score(log_probability, 1), log_probability)


def test_the_best_are_kept_in_order_and_the_search_knows_when_it_is_safe():
    pool = BestFinished(2, RANKER)
    pool.add(finished(5, -4.0))
    assert pool.is_open(-100.0, 1, 1)
    for token, log_probability in ((6, -1.0), (7, -2.0), (8, -2.0)):
        pool.add(finished(token, log_probability))
    assert [hypothesis.tokens for hypothesis in pool.best()] == [(6,), (7,)]
    assert pool.is_open(-3.9, 1, 3)
    assert not pool.is_open(-4.0, 1, 3)


def test_by_default_every_end_counts():
    pool = BestFinished(1, RANKER)
    assert pool.split([False, True, False, True]) == ([1, 3], [0, 2])
    assert pool.split([]) == ([], [])


def test_fairseq_loses_late_ends_and_keeps_the_first():
    pool = FirstFinished(beam=2, num_best=2)
    assert pool.split([False, True, False, True]) == ([1], [0, 2])
    assert pool.split([True, True, False, False]) == ([0, 1], [2, 3])
    assert pool.split([False, False, False, True]) == ([], [0, 1])
    for token, log_probability in ((5, -4.0), (6, -2.0), (7, -1.0)):
        assert pool.is_open(-0.1, 1, 9) == (token != 7)
        pool.add(finished(token, log_probability))
    assert [hypothesis.tokens for hypothesis in pool.best()] == [(6,), (5,)]


@pytest.mark.parametrize(("rule", "kind"), [("admissible", BestFinished), ("fairseq", FirstFinished)])
def test_rules_by_name(rule, kind):
    assert isinstance(ending_of(BeamConfig(ending=rule), RANKER), kind)
    assert ending_of(BeamConfig(ending=rule), RANKER).best() == []
