import pytest

from sprachbund.evaluation.error_rates import PairedDifference, commonest_line_baseline
from sprachbund.evaluation.evaluate import evaluate
from sprachbund.evaluation.verdicts import (
    commonest_answer,
    count,
    judge_baseline,
    judge_collapse,
    judge_difference,
    judge_overfit,
    points,
)

REFERENCES = [
    (f"clip{number}", f"sentence {word} comes here") for number, word in enumerate(["one", "two", "three"] * 20)
]


def answers(change, **figures):
    return evaluate([(key, text, change(number, text)) for number, (key, text) in enumerate(REFERENCES)], **figures)


def right(number, text):
    return text


def wrong_every_other(number, text):
    return text if number % 2 else "zzzz"


def always_the_line(number, text):
    return "sentence one comes here"


@pytest.fixture
def baseline():
    return commonest_line_baseline(["nothing like it"] * 2 + ["other"], [text for _, text in REFERENCES])


def test_a_good_system_beats_the_baseline(baseline):
    finding = judge_baseline("system", answers(right), baseline)
    assert finding.verdict == "holds"
    assert "beats the trivial baseline, intervals apart" in finding.text and "0.0 %" in finding.text


def test_a_poor_system_does_not(baseline):
    finding = judge_baseline(
        "system", answers(lambda number, text: "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"), baseline
    )
    assert finding.verdict == "fails" and "does not beat" in finding.text and "beats" not in finding.text


def test_the_baseline_itself_does_not_beat_the_baseline(baseline):
    assert judge_baseline("system", answers(lambda number, text: baseline.line), baseline).verdict == "fails"


def test_overlapping_intervals_stay_open():
    same = commonest_line_baseline(["sentence one comes here"], [text for _, text in REFERENCES])
    slightly_better = answers(lambda number, text: text if number == 1 else "sentence one comes here")
    finding = judge_baseline("system", slightly_better, same)
    assert finding.verdict == "open" and "can do" in finding.text
    better = answers(lambda number, text: text if number % 5 == 1 else "sentence one comes here")
    finding = judge_baseline("system", better, same)
    assert finding.verdict == "open" and "intervals overlap" in finding.text and "fewer errors" in finding.text


def test_differences_in_both_directions_and_none():
    names = ("pre-trained", "from scratch")
    holds = judge_difference(names, "test", answers(right), answers(wrong_every_other))
    fails = judge_difference(names, "test", answers(wrong_every_other), answers(right))
    none = judge_difference(names, "test", answers(right), answers(right))
    assert (holds.verdict, fails.verdict, none.verdict) == ("holds", "fails", "open")
    assert "Pre-trained makes fewer errors" in holds.text
    assert "Pre-trained makes more errors than from scratch" in fails.text
    assert "No difference shown" in none.text and "fewer" not in none.text


def test_overfit():
    assert judge_overfit(300, 0.004, 1).verdict == "holds"
    finding = judge_overfit(300, 0.2, 4)
    assert finding.verdict == "fails" and "20.0 %" in finding.text and "4 clips" in finding.text


def test_collapse_is_told_and_health_is_not():
    assert judge_collapse("system", answers(right, blank_rate=0.8)) is None
    assert "silence" in judge_collapse("system", answers(right, blank_rate=0.997)).text
    silent = judge_collapse("system", answers(lambda number, text: ""))
    assert silent.verdict == "fails" and "60 of 60 answers are nothing" in silent.text
    assert "“sentence one" in judge_collapse("system", answers(always_the_line)).text


def test_wording():
    assert count(1, "clip") == "1 clip" and count(0, "clip") == "0 clips"
    assert points(PairedDifference(-0.0325, -0.041, 0.002, 0.0123)) == "-3.2 points (95 %: -4.1 to +0.2, p = 0.012)"
    assert commonest_answer(answers(wrong_every_other)) == ("zzzz", 30)
