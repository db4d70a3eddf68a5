import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.ctc.greedy import blank_rate, count_blanks, greedy_ctc
from sprachbund.errors import CheckpointError

BLANK = 5


def logits_of(*paths, vocab=6, padding=0):
    """Logits whose best path is the given one; the padding says token 4."""
    width = max((len(path) for path in paths), default=0) + padding
    logits = torch.zeros(len(paths), width, vocab)
    logits[:, :, 4] = 9.0
    for row, path in enumerate(paths):
        logits[row, : len(path)] = 0.0
        for frame, symbol in enumerate(path):
            logits[row, frame, symbol] = 3.0
    return logits, torch.tensor([len(path) for path in paths])


def tokens_of(hypotheses):
    return [hypothesis.tokens for hypothesis in hypotheses]


@pytest.mark.parametrize(
    ("path", "tokens"),
    [
        ([4, 4, 3], (4, 3)),
        ([4, BLANK, 4], (4, 4)),
        ([BLANK, BLANK], ()),
        ([BLANK, 3, 3, BLANK, BLANK, 3, 2, 2], (3, 3, 2)),
        ([], ()),
    ],
)
def test_repeats_are_joined_and_blanks_dropped(path, tokens):
    assert tokens_of(greedy_ctc(*logits_of(path, padding=2), blank=BLANK)) == [tokens]


def test_forbidden_symbols_give_way_to_the_next_best():
    logits, lengths = logits_of([1, 1, 3])
    logits[0, :2, 2] = 2.0
    assert tokens_of(greedy_ctc(logits, lengths, blank=BLANK, forbidden={0, 1})) == [(2, 3)]


def test_the_blank_is_allowed_even_where_it_is_a_special_symbol():
    logits, lengths = logits_of([0, 3, 0, 3])
    assert tokens_of(greedy_ctc(logits, lengths, blank=0, forbidden=(0, 1, 2))) == [(3, 3)]


def test_score_is_the_log_probability_of_the_path():
    logits = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1))
    (hypothesis,) = greedy_ctc(logits, torch.tensor([3]), blank=BLANK)
    expected = logits[0, :3].log_softmax(dim=1).amax(dim=1).sum()
    assert hypothesis.score == pytest.approx(float(expected), abs=1e-6)
    assert hypothesis.log_probability == hypothesis.score


def test_the_logits_are_left_alone():
    logits, lengths = logits_of([1, 3])
    before = logits.clone()
    greedy_ctc(logits, lengths, blank=BLANK, forbidden=(1,))
    assert torch.equal(logits, before)


def test_no_frames_at_all():
    logits = torch.zeros(2, 0, 6)
    assert tokens_of(greedy_ctc(logits, torch.tensor([0, 0]), blank=BLANK)) == [(), ()]
    assert blank_rate(logits, torch.tensor([0, 0]), BLANK) == 0.0


def test_values_that_are_not_numbers_are_an_error_only_where_they_count():
    logits, lengths = logits_of([3, 4], padding=1)
    logits[0, 2] = torch.nan
    assert tokens_of(greedy_ctc(logits, lengths, blank=BLANK)) == [(3, 4)]
    logits[0, 1] = torch.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        greedy_ctc(logits, lengths, blank=BLANK)


def test_blank_rate_counts_valid_frames_only():
    logits, lengths = logits_of([BLANK, BLANK, 3, BLANK], [4], padding=3)
    logits[:, 4:, BLANK] = 20.0
    assert blank_rate(logits, lengths, BLANK) == pytest.approx(3 / 5)
    assert count_blanks(logits, lengths, BLANK).tolist() == [3, 0]


utterances = st.lists(st.lists(st.integers(0, 5), max_size=9), min_size=1, max_size=6)


def collapse(path):
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != BLANK)


@settings(deadline=None, max_examples=60)
@given(paths=utterances, padding=st.integers(0, 3), data=st.data())
def test_padded_equals_alone_and_order_is_irrelevant(paths, padding, data):
    order = data.draw(st.permutations(range(len(paths))))
    together = greedy_ctc(*logits_of(*[paths[place] for place in order], padding=padding), blank=BLANK)
    for hypothesis, place in zip(together, order, strict=True):
        assert hypothesis.tokens == collapse(paths[place])
        (alone,) = greedy_ctc(*logits_of(paths[place]), blank=BLANK)
        assert hypothesis == alone
