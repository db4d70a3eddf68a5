"""Every sentence follows from the interval and from nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.claims_folder import BUDGET, shared_of, write_errors, write_translations
from sprachbund.evaluation.error_rates import PairedDifference
from sprachbund.experiments.claims.figures import collect
from sprachbund.experiments.claims.judging import (
    judge_claim,
    judge_collapse,
    judge_contrast,
    judge_translation,
    percents,
    points,
    scores,
)
from sprachbund.experiments.claims.statistics import spread


@pytest.mark.parametrize(
    ("with_text", "without", "verdict", "word"),
    [(3, 9, "holds", "Yes."), (9, 3, "fails", "No: it does harm."), (5, 5, "open", "Not shown")],
    ids=["better", "worse", "same"],
)
def test_the_claim_is_decided_by_the_interval(
    tmp_path: Path, with_text: int, without: int, verdict: str, word: str
) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "speechlm-h", [with_text])
    write_errors(shared, "speechlm-h-without-text", [without])
    figures = collect(shared)
    finding = judge_claim(figures)
    assert finding.verdict == verdict
    assert word in finding.text
    assert "steel-sky, without a language model, 1 seed" in finding.text
    others = [judge_contrast(each) for each in figures.contrasts]
    assert {other.verdict for other in others} == {verdict}


def test_seeds_that_disagree_show_nothing(tmp_path: Path) -> None:
    shared = shared_of(tmp_path, replace(BUDGET, seeds=(1, 2, 3)))
    write_errors(shared, "speechlm-h", [2, 2, 9])
    write_errors(shared, "speechlm-h-without-text", [8, 8, 8])
    figures = collect(shared)
    (main,) = [each for each in figures.contrasts if (each.test_set, each.search) == ("steel-sky", "ctc")]
    assert main.cer.is_shown
    assert [value < 0 for value in main.cer_by_seed.values()] == [True, True, False]
    finding = judge_claim(figures)
    assert finding.verdict == "open"
    assert "1 seed of 3 say otherwise" in finding.text
    write_errors(shared, "speechlm-h", [2, 2, 7])
    assert judge_claim(collect(shared)).verdict == "holds"


def test_the_claim_is_open_where_a_row_is_missing(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "speechlm-h", [1])
    finding = judge_claim(collect(shared))
    assert finding.verdict == "open"
    assert "Not known yet" in finding.text


@pytest.mark.parametrize(
    ("row", "baseline", "verdict"),
    [(2, 9, "holds"), (9, 2, "fails"), (4, 4, "open")],
    ids=["better", "worse", "same"],
)
def test_translation_is_better_where_bleu_is_higher(tmp_path: Path, row: int, baseline: int, verdict: str) -> None:
    shared = shared_of(tmp_path)
    write_translations(shared, "none", [baseline])
    write_translations(shared, "speechut", [row])
    first, second = map(judge_translation, collect(shared).translations)
    assert first is None
    assert second is not None
    assert second.verdict == verdict
    assert "SpeechUT into de: BLEU" in second.text


def test_bleu_of_a_row_that_writes_the_same_whatever_is_said_is_no_answer(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_translations(shared, "none", [30, 2])
    write_translations(shared, "speechut", [30, 30])
    first, second = collect(shared).translations
    # One text in all with the first seed, and another one for each clip with the second.
    assert (first.num_clips, first.different.values) == (20, {1: 1, 2: 20})
    assert judge_translation(first) is None
    finding = judge_translation(second)
    assert finding is not None
    assert (finding.verdict, "1 different translations of 20 clips" in finding.text) == ("fails", True)


def test_figures_are_written_as_they_are() -> None:
    assert percents(spread({1: 0.5})) == "50.0 (1)"
    assert percents(spread({1: 0.5, 2: 0.52})) == "51.0 ± 1.4 (2)"
    assert scores(spread({1: 2.0, 2: 2.0})) == "2.00 ± 0.00 (2)"
    assert points(None) == "-"
    assert points(PairedDifference(-0.05, -0.07, -0.03, 0.001)) == "-5.0 (-7.0 to -3.0)*"
    assert points(PairedDifference(0.5, -0.5, 1.5, 0.3), 1.0) == "+0.5 (-0.5 to +1.5)"


def test_a_row_that_learned_nothing_is_told(tmp_path: Path) -> None:
    shared = shared_of(tmp_path)
    write_errors(shared, "none", [1000])
    write_errors(shared, "hubert", [5])
    said = {each.row: judge_collapse(each) for each in collect(shared).errors if each.search == "ctc"}
    assert said["hubert"] is None
    warning = said["none"]
    assert warning is not None
    assert (warning.verdict, "no pre-training gets" in warning.text) == ("fails", True)
