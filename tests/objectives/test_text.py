import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from sprachbund.objectives.text import ctc_loss, impossible_rows, token_cross_entropy

TARGETS = torch.tensor([[4, 5, 2], [6, 2, 1]])


def test_cross_entropy_skips_padding():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 7)
    result = token_cross_entropy(logits, TARGETS)
    expected = F.cross_entropy(logits.flatten(0, 1), TARGETS.flatten(), ignore_index=1, reduction="sum")
    torch.testing.assert_close(result.smoothed, expected)
    assert result.num_tokens == 5
    valid = TARGETS != 1
    assert result.correct == ((logits.argmax(2) == TARGETS) & valid).sum()


def test_smoothing_spreads_over_the_wrong_tokens():
    torch.manual_seed(0)
    logits = torch.randn(1, 1, 7)
    probabilities = logits[0, 0].log_softmax(0)
    wrong = probabilities.sum() - probabilities[4]
    expected = -(0.9 * probabilities[4] + 0.1 / 6 * wrong)
    torch.testing.assert_close(token_cross_entropy(logits, torch.tensor([[4]]), 0.1).smoothed, expected)


def test_ctc_sums_the_paths():
    """Two frames, one token: token-token, token-blank and blank-token."""
    torch.manual_seed(0)
    logits = torch.randn(1, 2, 7)
    p = logits[0].softmax(1)
    paths = p[0, 4] * p[1, 4] + p[0, 4] * p[1, 6] + p[0, 6] * p[1, 4]
    result = ctc_loss(logits, torch.tensor([2]), torch.tensor([[4, 2, 1]]), blank=6)
    assert result.item() == pytest.approx(-math.log(paths.item()), rel=1e-5)


def test_ctc_of_a_batch_is_the_sum_of_its_rows():
    torch.manual_seed(0)
    logits, lengths = torch.randn(2, 9, 7), torch.tensor([9, 6])
    whole = ctc_loss(logits, lengths, TARGETS, blank=6)
    parts = [
        ctc_loss(logits[row : row + 1, : lengths[row]], lengths[row : row + 1], TARGETS[row : row + 1], blank=6)
        for row in range(2)
    ]
    torch.testing.assert_close(whole, sum(parts))


@pytest.mark.parametrize(("zero_infinity", "expected"), [(True, 0.0), (False, math.inf)])
def test_too_few_frames_are_infinite_or_nothing(zero_infinity, expected):
    logits = torch.zeros(1, 1, 7)
    target = torch.tensor([[4, 5, 2]])
    assert ctc_loss(logits, torch.tensor([1]), target, blank=6, zero_infinity=zero_infinity).item() == expected


@given(data=st.data())
def test_rows_that_ctc_cannot_align_are_those_with_an_infinite_loss(data):
    rows = data.draw(st.lists(st.lists(st.integers(4, 6), min_size=1, max_size=5), min_size=1, max_size=4))
    lengths = torch.tensor([data.draw(st.integers(1, 8)) for _ in rows])
    targets = pad_sequence([torch.tensor([*row, 2]) for row in rows], batch_first=True, padding_value=1)
    logits = torch.zeros(len(rows), 8, 7)
    impossible = sum(
        not ctc_loss(logits[[row]], lengths[[row]], targets[[row]], blank=0, zero_infinity=False).isfinite()
        for row in range(len(rows))
    )
    assert impossible_rows(targets, lengths) == int(impossible)
