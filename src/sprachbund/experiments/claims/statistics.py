"""Rows compared over clips, with all seeds of fine-tuning pooled; and the spread over seeds.

Test clips are the independent observations: a resample draws clips with replacement, and with a clip come its errors
under every seed of both systems. So the intervals say what another choice of clips would do; what another seed would do
is told beside them, as the standard deviation over seeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import ErrorCounts, PairedDifference, interval, paired_bootstrap
from sprachbund.evaluation.evaluate import ClipResult, EvaluationResult
from sprachbund.evaluation.translation import TranslationResult
from sprachbund.shapes import Array, Float

Metric = Literal["cer", "wer"]
NUM_RESAMPLES = 1000  # of translations


@dataclass(frozen=True)
class Spread:
    """A figure over seeds."""

    mean: float
    deviation: float | None  # standard deviation of a sample; None for one seed
    values: dict[int, float]  # by seed


def spread(values: Mapping[int, float]) -> Spread:
    """Mean and deviation over seeds.

    Raises:
        DataError: there is no seed.
    """
    if not values:
        raise DataError("there is no seed to compute a spread of", mend="Run at least one.")
    found = np.array(list(values.values()), dtype=np.float64)
    deviation = float(found.std(ddof=1)) if len(found) > 1 else None
    return Spread(float(found.mean()), deviation, dict(values))


def compare_error_rates(
    a: Mapping[int, EvaluationResult], b: Mapping[int, EvaluationResult], metric: Metric
) -> PairedDifference:
    """The error rate of `a` minus that of `b`, over the clips and the seeds that both have.

    Raises:
        DataError: they have no seed in common, or were not tested on the same clips.
    """
    seeds = _common_seeds(a, b)
    _require_same([{clip.id: clip.reference for clip in system[seed].clips} for seed in seeds for system in (a, b)])
    ids = [clip.id for clip in a[seeds[0]].clips]
    sums = []
    for system in (a, b):
        counts = [{clip.id: _counts(clip, metric) for clip in system[seed].clips} for seed in seeds]
        sums.append([sum(found[each].errors for found in counts) for each in ids])
    lengths = [len(seeds) * _counts(clip, metric).length for clip in a[seeds[0]].clips]
    return paired_bootstrap(sums[0], sums[1], lengths)


def compare_bleu(
    a: Mapping[int, TranslationResult], b: Mapping[int, TranslationResult], *, lower_cased: bool, seed: int = 0
) -> PairedDifference:
    """BLEU of `a` minus that of `b` (0 to 100; above 0 where `a` is better): mean over the seeds that both have.

    Raises:
        DataError: they have no seed in common, or were not tested on the same clips.
    """
    seeds = _common_seeds(a, b)
    found = [[system[each].utterances for each in seeds] for system in (a, b)]
    _require_same([{one.id: one.reference for one in run} for system in found for run in system])
    order = [one.id for one in found[0][0]]
    counts = [[_bleu_counts(run, order, lower_cased) for run in system] for system in found]
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(len(order), np.full(len(order), 1 / len(order)), size=NUM_RESAMPLES)
    means = []
    for weights in (np.ones((1, len(order))), draws.astype(np.float64)):
        scores = [np.mean([_bleu(weights @ run) for run in system], axis=0) for system in counts]
        means.append(scores[0] - scores[1])
    difference, differences = float(means[0][0]), means[1]
    low, high = interval(differences, difference)
    smaller = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return PairedDifference(difference, low, high, min(1.0, 2 * (smaller + 1) / (NUM_RESAMPLES + 1)))


def _common_seeds(a: Mapping[int, Any], b: Mapping[int, Any]) -> list[int]:
    seeds = sorted(set(a) & set(b))
    if not seeds:
        raise DataError("two systems have no seed in common", given=f"{sorted(a)} and {sorted(b)}", mend="Run one.")
    return seeds


def _require_same(found: Sequence[Mapping[str, str]]) -> None:
    if any(each != found[0] for each in found):
        raise DataError(
            "systems can only be compared on the same clips and references", mend="Test all on the same clips."
        )


def _counts(clip: ClipResult, metric: Metric) -> ErrorCounts:
    return clip.characters if metric == "cer" else clip.words


def _bleu_counts(utterances: Sequence[Any], order: Sequence[str], lower_cased: bool) -> Float[Array, "clip count"]:
    """Of each clip: matches and n-grams of lengths 1 to 4, then the lengths of hypothesis and reference."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(lowercase=lower_cased, effective_order=True)
    by_id = {one.id: one for one in utterances}
    rows = []
    for each in order:
        score = metric.sentence_score(by_id[each].hypothesis, [by_id[each].reference])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, dtype=np.float64)


def _bleu(sums: Float[Array, "resample count"]) -> Float[Array, " resample"]:
    """BLEU of summed counts, smoothed as sacrebleu does by default."""
    from sacrebleu.metrics.bleu import BLEU

    found = [
        BLEU.compute_bleu(list(row[:4]), list(row[4:8]), int(row[8]), int(row[9]), smooth_method="exp").score
        for row in sums.astype(int).tolist()
    ]
    return np.array([0.0 if math.isnan(score) else score for score in found])
