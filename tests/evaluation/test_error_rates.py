import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import (
    ErrorCounts,
    commonest_line_baseline,
    count_character_errors,
    count_word_errors,
    error_rate,
    paired_bootstrap,
)

texts = st.text(alphabet="ab ", max_size=12)
counts = st.lists(st.builds(ErrorCounts, *[st.integers(0, 5)] * 4), min_size=1, max_size=8)


def levenshtein(reference, hypothesis):
    """Edit distance by the textbook, row by row."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, start=1):
        previous, row = row, [i]
        for j, heard in enumerate(hypothesis, start=1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (wanted != heard)))
    return row[-1]


@settings(deadline=None, max_examples=150)
@given(reference=texts, hypothesis=texts)
def test_counts_agree_with_the_textbook(reference, hypothesis):
    words = count_word_errors(reference, hypothesis)
    assert words.errors == levenshtein(reference.split(), hypothesis.split())
    assert words.length == len(reference.split())
    assert words.hits + words.substitutions + words.insertions == len(hypothesis.split())
    clean_reference, clean_hypothesis = " ".join(reference.split()), " ".join(hypothesis.split())
    characters = count_character_errors(reference, hypothesis)
    assert characters.errors == levenshtein(clean_reference, clean_hypothesis)
    assert characters.length == len(clean_reference)
    assert (characters.errors == 0) == (words.errors == 0) == (clean_reference == clean_hypothesis)


def test_counts_of_a_known_pair():
    assert count_word_errors("the cat sat down", "a cat sat right down") == ErrorCounts(1, 1, 0, 3)
    assert count_character_errors("cat", "at") == ErrorCounts(0, 0, 1, 2)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "length"), [("", "", 0, 0), ("", "a b", 2, 0), ("a b", "", 2, 2)]
)
def test_empty_texts(reference, hypothesis, errors, length):
    words = count_word_errors(reference, hypothesis)
    assert (words.errors, words.length) == (errors, length)
    assert error_rate([words]).rate == errors / max(length, 1)


@settings(deadline=None, max_examples=60)
@given(counts=counts, seed=st.integers(0, 99))
def test_interval_contains_the_rate_and_order_is_irrelevant(counts, seed):
    rate = error_rate(counts, num_resamples=50, seed=seed)
    assert 0.0 <= rate.low <= rate.rate <= rate.high
    assert rate.errors == sum(count.errors for count in counts)
    assert (rate.rate == 0.0) == (rate.errors == 0)
    shuffled = counts[:]
    random.Random(seed).shuffle(shuffled)
    assert error_rate(shuffled, num_resamples=50, seed=seed) == rate


def test_interval_of_many_alike_utterances_is_the_binomial_one():
    wrong, right = ErrorCounts(1, 0, 0, 0), ErrorCounts(0, 0, 0, 1)
    rate = error_rate([wrong] * 100 + [right] * 300)
    deviation = (0.25 * 0.75 / 400) ** 0.5
    assert rate.rate == 0.25
    assert rate.low == pytest.approx(0.25 - 1.96 * deviation, abs=0.006)
    assert rate.high == pytest.approx(0.25 + 1.96 * deviation, abs=0.006)


def test_an_interval_that_misses_the_rate_is_widened():
    spread = [ErrorCounts(number, 0, 0, 5) for number in range(7)]
    for seed in range(5):
        rate = error_rate(spread, num_resamples=1, seed=seed)
        assert rate.low <= rate.rate <= rate.high
    assert any(error_rate(spread, num_resamples=1, seed=seed).low < rate.rate for seed in range(5))


def test_long_utterances_weigh_more():
    assert error_rate([ErrorCounts(0, 0, 0, 9), ErrorCounts(1, 0, 0, 0)]).rate == pytest.approx(0.1)


def test_pieces_of_the_draw_change_nothing(monkeypatch):
    many = [ErrorCounts(number % 3, 0, 0, 2) for number in range(40)]
    whole = error_rate(many, num_resamples=60)
    monkeypatch.setattr("sprachbund.evaluation.error_rates._DRAWS_AT_ONCE", 400)
    assert error_rate(many, num_resamples=60) == whole


def test_nothing_to_evaluate():
    with pytest.raises(DataError, match="no utterance"):
        error_rate([])
    with pytest.raises(DataError, match="no utterance"):
        paired_bootstrap([], [], [])
    with pytest.raises(DataError, match="no training text"):
        commonest_line_baseline([], ["a"])


def test_paired_difference_sees_what_single_intervals_hide():
    generator = np.random.default_rng(0)
    better = generator.integers(0, 10, size=80)
    worse = better + (generator.random(80) < 0.3)
    lengths = [10] * 80
    difference = paired_bootstrap(better.tolist(), worse.tolist(), lengths)
    assert difference.difference == pytest.approx((better.sum() - worse.sum()) / 800)
    assert difference.is_shown and difference.high < 0
    assert difference.p < 0.01
    mirrored = paired_bootstrap(worse.tolist(), better.tolist(), lengths)
    assert mirrored.difference == -difference.difference and mirrored.is_shown and mirrored.low > 0


def test_equal_systems_show_no_difference():
    difference = paired_bootstrap([1, 2, 0], [1, 2, 0], [5, 5, 5])
    assert (difference.difference, difference.low, difference.high, difference.p) == (0.0, 0.0, 0.0, 1.0)
    assert not difference.is_shown


@settings(deadline=None, max_examples=40)
@given(rows=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=8))
def test_paired_interval_contains_the_difference_whatever_the_order(rows):
    found = paired_bootstrap(*map(list, zip(*rows, strict=True)), num_resamples=50)
    assert found.low <= found.difference <= found.high
    assert 0.0 < found.p <= 1.0
    assert paired_bootstrap(*map(list, zip(*reversed(rows), strict=True)), num_resamples=50) == found


def test_systems_of_different_test_sets_are_refused():
    with pytest.raises(DataError, match="same utterances"):
        paired_bootstrap([1], [1, 2], [3, 3])


def test_commonest_line():
    train = ["what", "no", "no", "look here", "what", "yes"]
    baseline = commonest_line_baseline(train, ["what is it", "what"])
    assert (baseline.line, baseline.occurrences) == ("what", 2)
    assert baseline.wer.rate == pytest.approx(2 / 4)
    assert baseline.cer.rate == pytest.approx(6 / 14)
    assert [count.errors for count in baseline.words] == [2, 0]
    assert [count.errors for count in baseline.characters] == [6, 0]
