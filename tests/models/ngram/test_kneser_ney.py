import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.ngram.oracle import Oracle
from models.ngram.texts import ALL_WORDS, SENTENCE, TEXT, counter_of, model_of, state_after
from sprachbund.models.ngram.kneser_ney import FALLBACK, Discounts, adjust, kneser_ney

PRUNINGS = st.sampled_from([(), (0, 0, 1), (0, 1), (0, 0, 2, 3)])
# With so many sentences of so few words that discounts are estimated for some lengths.
LARGER = st.integers(0, 1000).map(
    lambda seed: [random.Random(seed + i).choices("abcde", (8, 4, 2, 1, 0.3), k=1 + (seed + i) % 7) for i in range(60)]
)


@given(TEXT | LARGER, st.integers(1, 4), PRUNINGS, SENTENCE, st.booleans())
@settings(max_examples=60, deadline=None)
def test_probabilities_are_those_of_the_formulas(text, order, prune, said, begins) -> None:
    model, oracle = model_of(text, order, prune), Oracle(text, order, ALL_WORDS, prune)
    found = model.next_log_probs(state_after(model, said, begins=begins))[0].double().exp()
    history = ("<s>", *said) if begins else tuple(said)
    context = history[len(history) - min(order - 1, len(history)) :]
    wanted = [oracle.probability(context, word) for word in ALL_WORDS]
    np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6)


@given(TEXT | LARGER, st.integers(1, 5), PRUNINGS, SENTENCE)
@settings(max_examples=60, deadline=None)
def test_what_comes_next_sums_to_one(text, order, prune, said) -> None:
    model = model_of(text, order, prune)
    assert float(model.next_log_probs(state_after(model, said)).double().exp().sum()) == pytest.approx(1, abs=1e-5)


def test_discounts_are_estimated_where_there_is_enough_to_count() -> None:
    # 10 n-grams that occur once, 4 twice, 2 three times, 1 four times: Y = 10 / 18.
    adjusted = np.array([1] * 10 + [2] * 4 + [3] * 2 + [4] + [9] * 3)
    share = 10 / 18
    wanted = (1 - 2 * share * 4 / 10, 2 - 3 * share * 2 / 4, 3 - 4 * share * 1 / 2)
    found = Discounts.estimate(adjusted)
    assert found.values == pytest.approx(wanted)
    assert found.reason is None
    np.testing.assert_allclose(found.of(np.array([0, 1, 2, 3, 50])), [0, *wanted, wanted[2]])


@pytest.mark.parametrize(
    ("adjusted", "reason"),
    [
        ([2, 3, 4], "no n-gram has the count 1"),
        ([1, 1, 3], "no n-gram has the count 2"),
        ([1, 2], "no n-gram has the count 3"),
        ([1] * 100 + [2] + [3] * 2, "the estimate for the count 2 is -"),
    ],
)
def test_discounts_fall_back_with_a_reason(adjusted: list[int], reason: str) -> None:
    found = Discounts.estimate(np.array(adjusted))
    assert found.values == FALLBACK
    assert found.reason is not None
    assert found.reason.startswith(reason)


def test_lower_counts_are_of_what_stands_before() -> None:
    one, two, _ = adjust(counter_of([["a", "b"], ["a", "b"], ["c", "b"]], 3).counts(), len(ALL_WORDS))
    ids = {word: place for place, word in enumerate(ALL_WORDS)}
    singles = dict(zip(ALL_WORDS, one.adjusted.tolist(), strict=True))
    assert singles == {"<unk>": 0, "<s>": 0, "</s>": 1, "a": 1, "b": 2, "c": 1, "d": 0, "e": 0}
    assert one.numbers[ids["b"]] == 3
    pairs = {tuple(ALL_WORDS[i] for i in row): n for row, n in zip(two.rows.tolist(), two.adjusted, strict=True)}
    # What begins a sentence counts how often it occurs.
    assert pairs == {("<s>", "a"): 2, ("<s>", "c"): 1, ("a", "b"): 1, ("c", "b"): 1, ("b", "</s>"): 2}


def test_pruned_ngrams_are_gone_and_single_words_stay() -> None:
    text = [["a", "b", "c"]] * 3 + [["a", "d"]]
    counts = counter_of(text, 3).counts()
    whole, _ = kneser_ney(counts, len(ALL_WORDS))
    pruned, _ = kneser_ney(counts, len(ALL_WORDS), (0, 1))
    assert [len(table.rows) for table in whole] == [8, 6, 5]
    assert [len(table.rows) for table in pruned] == [8, 4, 3]


def test_perplexity_by_hand() -> None:
    # One sentence "a": fallback discounts, for words <unk> and a, b, c, d, e and the end.
    model = model_of([["a"]], 1)
    # Counts: a 1, end 1. Each keeps (1 - 0.5) / 2, and 7 words share the other half.
    assert model.sentence_log_prob(["a"]) == pytest.approx(2 * math.log(0.25 + 0.5 / 7), abs=1e-6)
    assert model.sentence_log_prob(["b"]) == pytest.approx(math.log(0.5 / 7) + math.log(0.25 + 0.5 / 7), abs=1e-6)
    bigrams = model_of([["a"]], 2)
    # Each context has one follower of count 1, and single words have the counts of before: a 1, end 1.
    single = 0.25 + 0.5 / 7
    assert bigrams.sentence_log_prob(["a"]) == pytest.approx(2 * math.log(0.5 + 0.5 * single), abs=1e-6)
    assert torch.isinf(bigrams.next_log_probs(torch.tensor([0]))[0, 1])
