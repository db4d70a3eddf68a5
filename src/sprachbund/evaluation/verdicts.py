"""Sentences that the figures decide. Each says what is shown, what is not, and by which numbers.

Nothing here is written in advance: a sentence that praises is only there if its interval allows it.
"""

from collections import Counter

from sprachbund.evaluation.error_rates import (
    Baseline,
    ErrorRate,
    PairedDifference,
    count_character_errors,
    paired_bootstrap,
)
from sprachbund.evaluation.evaluate import EvaluationResult, compare_character_errors
from sprachbund.evaluation.report import Finding

# An overfitted batch is known by heart when fewer than one character in a hundred is wrong.
KNOWN_BY_HEART = 0.01
COLLAPSED_BLANK_RATE = 0.99
COLLAPSED_SHARE = 0.5


def judge_baseline(name: str, result: EvaluationResult, baseline: Baseline) -> Finding:
    """Whether a system does better than always answering the commonest training line.

    It is shown where the two intervals are apart. Where they overlap, the paired difference on the same clips decides
    what is said about them, but the verdict stays open.
    """
    said = (
        f"{name}: character error rate {percent(result.cer)} against {percent(baseline.cer)} for the trivial baseline"
    )
    if result.cer.high < baseline.cer.low:
        return Finding(f"{said}. It beats the trivial baseline, intervals apart.", "holds")
    if result.cer.rate >= baseline.cer.rate:
        return Finding(f"{said}. It does not beat the trivial baseline.", "fails")
    difference = _against_line(result, baseline.line)
    if difference.is_shown:
        return Finding(
            f"{said}. The intervals overlap, though on the same clips it makes fewer errors {points(difference)}.",
            "open",
        )
    return Finding(f"{said}. It is lower, but not beyond what the choice of clips can do {points(difference)}.", "open")


def judge_difference(names: tuple[str, str], on: str, a: EvaluationResult, b: EvaluationResult) -> Finding:
    """Whether the first of two systems makes fewer character errors than the second on the same clips."""
    better, other = names
    difference = compare_character_errors(a, b)
    said = f"{on}: {better} {percent(a.cer)}, {other} {percent(b.cer)}, paired difference {points(difference)}"
    if not difference.is_shown:
        return Finding(f"{said}. No difference shown: the interval contains 0.", "open")
    if difference.difference < 0:
        return Finding(f"{said}. {_capital(better)} makes fewer errors.", "holds")
    return Finding(f"{said}. {_capital(better)} makes more errors than {other}.", "fails")


def judge_overfit(steps: int, cer: float, num_clips: int) -> Finding:
    """Whether one batch could be learned by heart, which shows that sound reaches text through the whole model."""
    trained = f"One batch of {count(num_clips, 'clip')} trained alone for {count(steps, 'step')}"
    said = f"{trained}: {100 * cer:.1f} % of its characters are wrong"
    if cer <= KNOWN_BY_HEART:
        return Finding(
            f"{said}. The model learns it by heart, so sound, model, loss and decoding fit together.", "holds"
        )
    return Finding(
        f"{said}. It was not learned by heart, so every other figure here stands on a pipeline that is not proven.",
        "fails",
    )


def judge_collapse(name: str, result: EvaluationResult) -> Finding | None:
    """A warning if a system says nothing, or the same to everything; None where it does not."""
    if result.blank_rate is not None and result.blank_rate >= COLLAPSED_BLANK_RATE:
        silence = f"{100 * result.blank_rate:.1f} % of the frames"
        return Finding(f"{name}: CTC says nothing on {silence}. The output has collapsed to silence.", "fails")
    text, times = commonest_answer(result)
    if result.num_clips > 1 and times / result.num_clips >= COLLAPSED_SHARE:
        answer = f"“{text}”" if text else "nothing"
        return Finding(
            f"{name}: {times} of {result.num_clips} answers are {answer}. The system hardly listens.", "fails"
        )
    return None


def commonest_answer(result: EvaluationResult) -> tuple[str, int]:
    """The hypothesis that was given most often, and how often; of equally common ones the first in the alphabet."""
    answers = Counter(clip.hypothesis for clip in result.clips)
    return min(answers.items(), key=lambda item: (-item[1], item[0]))


def percent(rate: ErrorRate) -> str:
    """``12.3 % (95 %: 10.1 to 14.6)``."""
    return f"{100 * rate.rate:.1f} % (95 %: {100 * rate.low:.1f} to {100 * rate.high:.1f})"


def points(difference: PairedDifference) -> str:
    """``-3.2 points (95 %: -4.0 to -2.5, p = 0.001)``."""
    interval = f"95 %: {100 * difference.low:+.1f} to {100 * difference.high:+.1f}"
    return f"{100 * difference.difference:+.1f} points ({interval}, p = {difference.p:.2g})"


def count(number: int, noun: str) -> str:
    """``1 clip``, ``2 clips``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _against_line(result: EvaluationResult, line: str) -> PairedDifference:
    """The system minus the system that always answers `line`, on the same clips."""
    return paired_bootstrap(
        [clip.characters.errors for clip in result.clips],
        [count_character_errors(clip.reference, line).errors for clip in result.clips],
        [clip.characters.length for clip in result.clips],
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
