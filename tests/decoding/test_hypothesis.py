import dataclasses

import pytest

from sprachbund.decoding.hypothesis import Hypothesis


def test_hypotheses_are_values():
    hypothesis = Hypothesis(tokens=(4, 5), score=-1.0, log_probability=-3.0)
    assert hypothesis == Hypothesis((4, 5), -1.0, -3.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        hypothesis.score = 0.0


def test_parts_are_compared_but_not_hashed():
    plain = Hypothesis((4,), -1.0, -3.0)
    told = Hypothesis((4,), -1.0, -3.0, parts={"ctc": -3.0})
    assert plain != told
    assert hash(plain) == hash(told)
    assert told.confidences == ()
