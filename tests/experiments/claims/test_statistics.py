"""Pooled comparisons against direct computations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.evaluation.evaluate import EvaluationResult, compare_character_errors, evaluate
from sprachbund.evaluation.translation import TranslationResult, score_translations
from sprachbund.experiments.claims.statistics import compare_bleu, compare_error_rates, spread

SAID = ("the cat sat on the mat", "a dog ran home", "we shall see what comes of this", "no", "go on then my friend")


def result(heard: Sequence[str], said: Sequence[str] = SAID) -> EvaluationResult:
    return evaluate((f"clip-{n}", a, b) for n, (a, b) in enumerate(zip(said, heard, strict=True)))


def translated(heard: Sequence[str]) -> TranslationResult:
    triples = [(f"clip-{n}", a, b) for n, (a, b) in enumerate(zip(SAID, heard, strict=True))]
    return score_translations(triples, target="de")


GOOD = result(SAID)
POOR = result([text[:-2] for text in SAID])


def test_spread() -> None:
    one = spread({1: 0.5})
    assert (one.mean, one.deviation) == (0.5, None)
    three = spread({1: 1.0, 2: 2.0, 3: 6.0})
    assert three.mean == 3.0
    assert three.deviation == pytest.approx(np.std([1, 2, 6], ddof=1))
    with pytest.raises(DataError, match="no seed"):
        spread({})


def test_one_seed_is_compared_as_two_results_are() -> None:
    pooled, single = compare_error_rates({1: POOR}, {1: GOOD}, "cer"), compare_character_errors(POOR, GOOD)
    assert pooled == single
    assert pooled.difference > 0


@given(st.permutations(range(len(SAID))), st.sampled_from(["cer", "wer"]))
@settings(max_examples=10, deadline=None)
def test_the_order_of_clips_and_seeds_does_not_matter(order: list[int], metric: str) -> None:
    said = [SAID[n] for n in order]
    shuffled = evaluate((f"clip-{n}", SAID[n], SAID[n][:-2]) for n in order)
    assert len(said) == len(SAID)
    straight = compare_error_rates({1: POOR, 2: GOOD}, {1: GOOD, 2: GOOD}, metric)  # type: ignore[arg-type]  # a name
    other = compare_error_rates({2: GOOD, 1: shuffled}, {2: GOOD, 1: GOOD}, metric)  # type: ignore[arg-type]  # a name
    assert straight == other


def test_the_difference_is_the_mean_over_seeds() -> None:
    pooled = compare_error_rates({1: POOR, 2: GOOD, 3: GOOD}, {1: GOOD, 2: GOOD, 3: GOOD}, "cer")
    single = compare_error_rates({1: POOR}, {1: GOOD}, "cer")
    assert pooled.difference == pytest.approx(single.difference / 3)
    assert pooled.low <= pooled.difference <= pooled.high
    both = compare_error_rates({1: POOR, 2: POOR}, {1: GOOD, 2: GOOD}, "cer")
    assert both.difference == pytest.approx(single.difference)


def test_only_seeds_of_both_count() -> None:
    assert compare_error_rates({1: POOR, 2: GOOD}, {1: GOOD}, "wer") == compare_error_rates({1: POOR}, {1: GOOD}, "wer")
    with pytest.raises(DataError, match="no seed in common"):
        compare_error_rates({1: POOR}, {2: GOOD}, "wer")


def test_other_clips_are_refused() -> None:
    other = result(SAID, [*SAID[:-1], "something else"])
    with pytest.raises(DataError, match="same clips"):
        compare_error_rates({1: POOR}, {1: other}, "cer")
    with pytest.raises(DataError, match="same clips"):
        compare_error_rates({1: POOR, 2: other}, {1: POOR, 2: other}, "cer")


@pytest.mark.parametrize("is_lower", [False, True], ids=["cased", "lower"])
def test_bleu_is_that_of_sacrebleu(is_lower: bool) -> None:
    a, b = translated(["The cat sat on a mat", *SAID[1:]]), translated(["The cat sat here", "a dog", *SAID[2:]])
    name = "BLEU-lc" if is_lower else "BLEU"
    values = [next(score.value for score in each.scores if score.metric == name) for each in (a, b)]
    found = compare_bleu({1: a}, {1: b}, lower_cased=is_lower)
    assert found.difference == pytest.approx(values[0] - values[1])
    assert found.low <= found.difference <= found.high
    pooled = compare_bleu({1: a, 2: b}, {1: b, 2: b}, lower_cased=is_lower)
    assert pooled.difference == pytest.approx((values[0] - values[1]) / 2)


def test_translations_are_compared_clip_by_clip_in_any_order() -> None:
    a, b = translated([text[:-2] for text in SAID]), translated(SAID)
    turned = replace(b, utterances=b.utterances[::-1])
    assert compare_bleu({1: a}, {1: turned}, lower_cased=False) == compare_bleu({1: a}, {1: b}, lower_cased=False)


def test_the_same_translations_do_not_differ() -> None:
    a = translated([text.upper() for text in SAID])
    found = compare_bleu({1: a}, {1: a}, lower_cased=False)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert not found.is_shown


def test_a_clear_difference_is_shown() -> None:
    words = [f"word {n} and some more of them here" for n in range(40)]
    triples = [(str(n), text, text) for n, text in enumerate(words)]
    wrong = [(str(n), text, "nothing of this at all") for n, text in enumerate(words)]
    a, b = score_translations(triples, target="de"), score_translations(wrong, target="de")
    found = compare_bleu({1: a}, {1: b}, lower_cased=False)
    assert found.is_shown
    assert found.difference > 90
    assert found.p < 0.01
