import json

import pytest

from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.evaluation.evaluate import EvaluationResult, evaluate
from sprachbund.evaluation.tuning import Trial
from sprachbund.serving.tuning_report import Comparison, describe_trial, trial_facts

BEFORE = DecodingConfig(method="joint", language_models=(FusedModel(path="lm", weight=0.25),))
AFTER = DecodingConfig(method="joint", ctc_weight=0.6, language_models=(FusedModel(path="lm", weight=0.5),))


def decode(config: DecodingConfig) -> EvaluationResult:
    """Best path: 4 of 5 words wrong; before 3; after 1."""
    wrong = 1 if config == AFTER else 3 if config == BEFORE else 4
    return evaluate((f"clip-{place}", "word", "work" if place < wrong else "word") for place in range(5))


def test_the_three_ways_and_their_differences_are_told():
    comparison = Comparison.of_settings(decode, BEFORE, AFTER, "wer")
    lines = comparison.lines()
    assert [line.split()[0] for line in lines] == ["best", "before", "after", "after", "after"]
    for line, rate in zip(lines, ("80.0 %", "60.0 %", "20.0 %", "-40.0 points", "-60.0 points"), strict=True):
        assert rate in line
    facts = comparison.facts()
    assert facts["after"]["wer"]["errors"] == 1
    assert facts["after_minus_before"]["difference"] == pytest.approx(-0.4)
    assert facts["after_minus_best_path"]["difference"] == pytest.approx(-0.6)
    assert json.loads(json.dumps(facts)) == facts


def test_what_was_tuned_for_is_compared():
    characters = Comparison.of_settings(decode, BEFORE, AFTER, "cer")
    assert characters.facts()["after_minus_before"]["difference"] == pytest.approx(-0.1)
    assert "CER -10.0 points" in characters.lines()[3]


def test_a_trial_is_a_line_and_a_record():
    trial = Trial(AFTER, decode(AFTER))
    said = "WER 20.00 %, CER 5.00 %: beam 10, ctc_weight 0.6, length_bonus 0, length_penalty 0, lm_weight_1 0.5"
    assert describe_trial(trial) == said
    assert trial_facts(trial)["lm_weight_1"] == 0.5
    assert trial_facts(trial)["wer"] == pytest.approx(0.2)


def test_what_a_method_does_not_use_is_not_told():
    config = DecodingConfig(method="ctc-beam", beam=4)
    assert set(trial_facts(Trial(config, decode(config)))) == {"beam", "length_bonus", "wer", "cer"}
