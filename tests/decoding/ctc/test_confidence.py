import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.ctc_oracle import all_transcripts
from sprachbund.decoding.ctc.confidence import ctc_confidences, word_confidence
from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.errors import CheckpointError

VOCAB = 4


def said(*tokens):
    return Hypothesis(tokens, -1.0, -1.0)


def random_logits(seed, lengths, padding=0):
    """Random logits, the same for the same seed and length wherever an utterance stands; padding is no number."""
    logits = torch.full((len(lengths), max(lengths) + padding, VOCAB), torch.nan)
    for row, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(seed * 100 + length)
        logits[row, :length] = 2 * torch.randn(length, VOCAB, generator=generator)
    return logits, torch.tensor(lengths)


def by_definition(logits, hypothesis, blank):
    """The confidences by the probability of every transcript."""
    every = all_transcripts(logits.double().log_softmax(dim=1), blank)
    tokens, expected = hypothesis.tokens, []
    for place in range(len(tokens)):
        rivals = [tokens[:place] + middle + tokens[place + 1 :] for middle in [(), *((c,) for c in range(VOCAB))]]
        total = sum(every.get(rival, 0.0) for rival in rivals)
        expected.append(every.get(tokens, 0.0) / total if total else 0.0)
    return expected


utterances = st.lists(
    st.tuples(st.integers(1, 5), st.lists(st.integers(0, VOCAB - 2), max_size=3)), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), spoken=utterances, blank=st.integers(0, VOCAB - 1), padding=st.integers(0, 2))
def test_they_are_posteriors_of_all_that_could_stand_there(seed, spoken, blank, padding):
    hypotheses = [said(*(token + (token >= blank) for token in tokens)) for _, tokens in spoken]
    logits, lengths = random_logits(seed, [length for length, _ in spoken], padding)
    found = ctc_confidences(logits, lengths, hypotheses, blank=blank)
    for row, (hypothesis, length) in enumerate(zip(hypotheses, lengths, strict=True)):
        assert found[row].confidences == pytest.approx(by_definition(logits[row, :length], hypothesis, blank), abs=1e-9)
        assert (found[row].tokens, found[row].score) == (hypothesis.tokens, hypothesis.score)


@pytest.mark.parametrize("tokens", [(0, 1, 0), (1, 1, 0), (0, 0), (2, 1, 1)])
def test_tokens_beside_equal_ones_need_a_blank_between(tokens):
    logits, lengths = random_logits(1, [5])
    (found,) = ctc_confidences(logits, lengths, [said(*tokens)], blank=3)
    assert found.confidences == pytest.approx(by_definition(logits[0], said(*tokens), 3), abs=1e-9)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 99), data=st.data())
def test_padded_equals_alone_and_order_is_irrelevant(seed, data):
    order = data.draw(st.permutations([1, 3, 6, 9, 14]))
    logits, lengths = random_logits(seed, order, padding=2)
    hypotheses = greedy_ctc(logits, lengths, blank=1)
    for length, together in zip(order, ctc_confidences(logits, lengths, hypotheses, blank=1), strict=True):
        alone = random_logits(seed, [length])
        (expected,) = ctc_confidences(*alone, greedy_ctc(*alone, blank=1), blank=1)
        assert together.tokens == expected.tokens
        assert together.confidences == pytest.approx(expected.confidences, abs=1e-9)


def test_what_is_clearly_heard_is_sure_and_what_is_not_is_not():
    logits = torch.full((1, 5, VOCAB), -9.0)
    for frame, symbols in enumerate([[0], [3], [0, 1], [3], [2]]):
        logits[0, frame, symbols] = 9.0
    (found,) = ctc_confidences(logits, torch.tensor([5]), [said(0, 1, 2)], blank=3)
    assert found.confidences == pytest.approx((1.0, 0.5, 1.0), abs=1e-3)
    (wrong,) = ctc_confidences(logits, torch.tensor([5]), [said(0, 2, 2)], blank=3)
    assert wrong.confidences[1] < 1e-3


def test_what_is_forbidden_stands_against_nothing():
    logits = torch.zeros(1, 1, VOCAB)
    (found,) = ctc_confidences(logits, torch.tensor([1]), [said(0)], blank=3)
    assert found.confidences == pytest.approx((1 / 4,))
    (found,) = ctc_confidences(logits, torch.tensor([1]), [said(0)], blank=3, forbidden={1, 3})
    assert found.confidences == pytest.approx((1 / 3,))


def test_many_tokens_are_compared_with_the_likeliest():
    logits = torch.full((1, 3, 5000), -60.0)
    logits[0, :, 4000:4003] = 0.0
    (found,) = ctc_confidences(logits, torch.tensor([3]), [said(4000, 4001)], blank=7)
    assert found.confidences == pytest.approx((0.5, 0.5), abs=0.2)


def test_transcripts_that_do_not_fit_and_empty_ones():
    logits, lengths = random_logits(0, [2, 3, 0, 2])
    hypotheses = [said(0, 0), said(), said(), said(0, 1)]
    found = ctc_confidences(logits, lengths, hypotheses, blank=3)
    assert [each.confidences for each in found[:3]] == [(0.0, 0.0), (), ()]
    assert all(0 < value < 1 for value in found[3].confidences)
    assert ctc_confidences(logits, lengths, [said()] * 4, blank=3) == [said()] * 4


def test_values_that_are_not_numbers_are_an_error():
    logits, lengths = random_logits(0, [3])
    logits[0, 1, 0] = torch.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        ctc_confidences(logits, lengths, [said(1)], blank=3)


def test_a_word_is_as_sure_as_all_its_tokens_together():
    assert word_confidence((0.5, 0.8)) == pytest.approx(0.4)
    assert word_confidence(()) == 1.0
