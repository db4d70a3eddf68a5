import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.ctc_oracle import TableLanguage, all_transcripts, plain_prefix_beam
from sprachbund.decoding.ctc.beam import CtcBeamConfig, ctc_prefix_beam
from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.errors import CheckpointError, RecipeError

EOS = 2
WIDE = 1000  # holds every prefix of the tiny cases


def random_logits(seed, *lengths, vocab=4, sharpness=2.0, padding=0):
    """Random logits that are the same for the same seed and length wherever an utterance stands."""
    logits = torch.full((len(lengths), max(lengths, default=0) + padding, vocab), 7.0)
    for row, length in enumerate(lengths):
        generator = torch.Generator().manual_seed(seed * 1000 + length)
        logits[row, :length] = sharpness * torch.randn(length, vocab, generator=generator)
    return logits, torch.tensor(lengths)


def search(logits, lengths, *, blank=3, automaton=None, forbidden=(), **choices):
    return ctc_prefix_beam(
        logits, lengths, blank=blank, config=CtcBeamConfig(**choices), automaton=automaton, forbidden=forbidden
    )


def expected_scores(logits, blank, automaton, weight, bonus):
    found = {}
    for tokens, probability in all_transcripts(logits.double().log_softmax(dim=1), blank).items():
        language = automaton.sentence(tokens, EOS) if automaton else 0.0
        if language > -math.inf:
            found[tokens] = math.log(probability) + weight * language + bonus * len(tokens)
    return found


LANGUAGES = [None, TableLanguage(4, 1), TableLanguage(4, 2, impossible=[(3, 3), (-1, 1), (0, EOS), (-1, EOS)])]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 99),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    blank=st.integers(0, 3),
    language=st.sampled_from(range(3)),
    weight=st.sampled_from([0.4, 1.0]),
    bonus=st.sampled_from([0.0, 0.7, -0.5]),
)
def test_a_beam_that_holds_everything_is_exact(seed, lengths, blank, language, weight, bonus):
    logits, valid = random_logits(seed, *lengths)
    automaton = LANGUAGES[language]
    found = search(
        logits,
        valid,
        blank=blank,
        automaton=automaton,
        beam=WIDE,
        num_best=WIDE,
        language_weight=weight,
        length_bonus=bonus,
    )
    for row, (hypotheses, length) in enumerate(zip(found, lengths, strict=True)):
        expected = expected_scores(logits[row, :length], blank, automaton, weight, bonus)
        if not expected:
            continue
        assert {each.tokens: each.score for each in hypotheses} == pytest.approx(expected, abs=1e-5)
        assert len(hypotheses) == len(expected)
        assert [each.score for each in hypotheses] == sorted((each.score for each in hypotheses), reverse=True)


def test_parts_add_up():
    automaton = TableLanguage(4, 1)
    logits, lengths = random_logits(0, 5)
    for hypothesis in search(logits, lengths, automaton=automaton, beam=8, num_best=8, length_bonus=0.2)[0]:
        assert hypothesis.parts["ngram"] == pytest.approx(automaton.sentence(hypothesis.tokens, EOS), abs=1e-5)
        assert hypothesis.log_probability == pytest.approx(hypothesis.parts["ctc"] + 0.5 * hypothesis.parts["ngram"])
        assert hypothesis.score == pytest.approx(hypothesis.log_probability + 0.2 * len(hypothesis.tokens))
    (plain,) = search(logits, lengths)[0]
    assert plain.parts == {"ctc": plain.score}
    assert plain.score == plain.log_probability


@pytest.mark.parametrize("beam", [1, 2, 5, 20])
@pytest.mark.parametrize("has_language", [False, True])
def test_it_prunes_as_the_plain_search_does(beam, has_language):
    logits, lengths = random_logits(beam, 40, vocab=12, sharpness=3.0)
    language = TableLanguage(12, beam) if has_language else None
    found = search(logits, lengths, automaton=language, beam=beam, num_best=beam, length_bonus=0.3)[0]
    plain = plain_prefix_beam(
        logits[0].double().log_softmax(dim=1), 3, beam, language=language, weight=0.5, bonus=0.3, eos=EOS
    )
    assert [each.tokens for each in found] == [tokens for _, tokens in plain]
    assert [each.score for each in found] == pytest.approx([score for score, _ in plain], abs=1e-4)


@settings(deadline=None, max_examples=10)
@given(
    seed=st.integers(0, 99),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True),
    padding=st.integers(0, 3),
    has_language=st.booleans(),
    threshold=st.sampled_from([None, -3.0]),
    data=st.data(),
)
def test_padded_equals_alone_and_order_is_irrelevant(seed, lengths, padding, has_language, threshold, data):
    choices = {
        "automaton": TableLanguage(6, 5) if has_language else None,
        "beam": 4,
        "num_best": 3,
        "token_threshold": threshold,
    }
    order = data.draw(st.permutations(lengths))
    together = search(*random_logits(seed, *order, vocab=6, padding=padding), **choices)
    for found, length in zip(together, order, strict=True):
        assert_same(found, search(*random_logits(seed, length, vocab=6), **choices)[0])


@pytest.mark.parametrize("size", [1, 2, 7])
def test_the_batch_size_is_irrelevant(size):
    logits, lengths = random_logits(3, *(number // 3 for number in range(32)), vocab=8)
    choices = {"automaton": TableLanguage(8, 3), "beam": 5, "num_best": 2}
    together = search(logits, lengths, **choices)
    parted = [
        found
        for first in range(0, 32, size)
        for found in search(logits[first : first + size], lengths[first : first + size], **choices)
    ]
    for one, other in zip(together, parted, strict=True):
        assert_same(one, other)


def assert_same(one, other):
    assert [each.tokens for each in one] == [each.tokens for each in other]
    assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-6)


@pytest.mark.parametrize("size", [1, 3])
def test_equal_scores_are_ordered_alike_in_every_batch(size):
    logits = torch.zeros(size, 6, 5)
    found = search(logits, torch.full((size,), 6), beam=3, num_best=3)
    assert {tuple(each.tokens for each in hypotheses) for hypotheses in found} == {
        tuple(each.tokens for each in search(logits[:1], torch.tensor([6]), beam=3, num_best=3)[0])
    }


def test_the_best_hypothesis_is_at_least_as_likely_as_the_greedy_one():
    # A beam of 1 need not be the greedy path: it sums up alignments. With all of them it can only be better.
    for seed in range(10):
        logits, lengths = random_logits(seed, 4)
        (greedy,) = greedy_ctc(logits, lengths, blank=3)
        everything = {each.tokens: each.score for each in search(logits, lengths, beam=WIDE, num_best=WIDE)[0]}
        assert max(everything.values()) >= everything[greedy.tokens] >= greedy.score - 1e-6


def test_sure_posteriors_give_the_greedy_transcript_at_any_beam():
    logits, lengths = random_logits(4, 30, vocab=9, sharpness=60.0)
    (greedy,) = greedy_ctc(logits, lengths, blank=3)
    for beam in (1, 3, 50):
        assert search(logits, lengths, beam=beam)[0][0].tokens == greedy.tokens


def test_silence_and_no_frames_are_the_empty_transcript():
    logits = torch.zeros(2, 9, 5)
    logits[:, :, 3] = 12.0
    for automaton in (None, TableLanguage(5, 1)):
        for hypotheses in search(logits, torch.tensor([9, 0]), automaton=automaton, num_best=2):
            assert hypotheses[0].tokens == ()
    (nothing,) = search(logits[:1, :0], torch.tensor([0]))[0]
    assert (nothing.tokens, nothing.score) == ((), 0.0)
    assert search(logits[:0], torch.tensor([], dtype=torch.long)) == []


def test_forbidden_tokens_are_never_said_and_keep_their_probability():
    logits, lengths = random_logits(5, 5)
    expected = expected_scores(logits[0], 3, None, 0.0, 0.0)
    found = search(logits, lengths, forbidden={0, 1, 3}, beam=WIDE, num_best=WIDE)[0]
    assert {each.tokens: each.score for each in found} == pytest.approx(
        {tokens: score for tokens, score in expected.items() if not {0, 1} & set(tokens)}, abs=1e-6
    )


def test_a_threshold_only_leaves_out_what_is_unlikely():
    logits, lengths = random_logits(6, 5)
    whole = {each.tokens: each.score for each in search(logits, lengths, beam=WIDE, num_best=WIDE)[0]}
    same = search(logits, lengths, beam=WIDE, num_best=WIDE, token_threshold=-100.0)[0]
    assert {each.tokens: each.score for each in same} == pytest.approx(whole)
    fewer = search(logits, lengths, beam=WIDE, num_best=WIDE, token_threshold=-2.0)[0]
    assert 0 < len(fewer) < len(whole)
    assert all(each.score <= whole[each.tokens] + 1e-9 for each in fewer)
    (silent,) = search(logits, lengths, beam=WIDE, num_best=WIDE, token_threshold=1.0)[0]
    assert silent.tokens == ()


def test_values_that_are_not_numbers_are_an_error_only_where_they_count():
    logits, lengths = random_logits(7, 4, padding=1)
    logits[0, 4] = torch.nan
    assert search(logits, lengths)[0]
    logits[0, 3, 1] = torch.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        search(logits, lengths)


def test_a_transcript_that_may_not_end_is_shortened():
    # Only "0 1" is a word: it may begin and end, and the second 0 was cut off.
    never = [(-1, 1), (0, 0), (0, EOS), (1, 1)]
    automaton = TableLanguage(4, 1, impossible=never)
    logits = torch.full((1, 7, 4), -30.0)
    for frame, symbol in enumerate([0, 0, 1, 3, 3, 0, 0]):
        logits[0, frame, symbol] = 0.0
    (found,) = search(logits, torch.tensor([7]), automaton=automaton, beam=1, language_weight=0.1)[0]
    assert found.tokens == (0, 1)
    assert found.parts["ngram"] == pytest.approx(automaton.sentence((0, 1), EOS), abs=1e-5)
    exact = search(logits, torch.tensor([7]), beam=200, num_best=200)[0]
    assert found.parts["ctc"] == pytest.approx({each.tokens: each.score for each in exact}[0, 1])


def test_where_no_sentence_may_end_there_is_the_empty_hypothesis():
    automaton = TableLanguage(4, 1, impossible=[(before, EOS) for before in (-1, 0, 1, 2, 3)])
    (found,) = search(*random_logits(8, 4), automaton=automaton)[0]
    assert (found.tokens, found.score) == ((), -math.inf)


def test_at_weight_0_a_language_model_still_forbids():
    automaton = TableLanguage(4, 1, impossible=[(-1, 0), (-1, 1)])
    (found,) = search(*random_logits(8, 4), automaton=automaton, language_weight=0.0, forbidden={EOS})[0]
    assert found.tokens == ()
    assert math.isfinite(found.score)


@pytest.mark.parametrize(
    "choice",
    [
        {"beam": 0},
        {"num_best": 0},
        {"language_weight": -0.1},
        {"language_weight": math.nan},
        {"length_bonus": math.inf},
        {"token_threshold": math.nan},
    ],
)
def test_choices_that_cannot_work_are_refused(choice):
    with pytest.raises(RecipeError):
        CtcBeamConfig(**choice)
