"""Sentences that the figures decide, and the figures as cells of tables."""

from sprachbund.evaluation.error_rates import PairedDifference
from sprachbund.evaluation.report import Finding
from sprachbund.evaluation.verdicts import count
from sprachbund.experiments.claims.figures import ContrastFigures, ErrorFigures, Figures, TranslationFigures
from sprachbund.experiments.claims.places import SEARCHES, STEEL_SKY
from sprachbund.experiments.claims.rows import CONTRASTS, ROWS, Row
from sprachbund.experiments.claims.statistics import Spread

BY_NAME: dict[str, Row] = {row.name: row for row in ROWS}
MAIN = (STEEL_SKY, "ctc")
"""Where the claim is judged, declared before any run: the test set of the labelled domain, no language model."""

COLLAPSED = 0.99  # of characters
HEARD = 0.5  # of the clips: a system that listens translates more of them differently


def judge_claim(figures: Figures) -> Finding:
    """Whether unpaired text helps a content task here, by character errors."""
    claim = CONTRASTS[0]
    found = [each for each in figures.contrasts if (each.contrast, each.test_set, each.search) == (claim, *MAIN)]
    if not found:
        return Finding(f"{claim.question} Not known yet: one of the two rows is not tested.", "open")
    return judge_contrast(found[0])


def judge_contrast(figures: ContrastFigures) -> Finding:
    """The answer to the question of a contrast on one test set."""
    contrast, difference = figures.contrast, figures.cer
    where = f"{figures.test_set}, {SEARCHES[figures.search]}, {count(figures.num_seeds, 'seed')}"
    said = (
        f"{contrast.question} Character errors of {BY_NAME[contrast.row].title} minus those of "
        f"{BY_NAME[contrast.against].title} ({where}): {points(difference)}."
    )
    if not difference.is_shown:
        return Finding(f"{said} Not shown: the interval contains 0.", "open")
    against = sum(value * difference.difference <= 0 for value in figures.cer_by_seed.values())
    if against:
        return Finding(f"{said} Not shown: {count(against, 'seed')} of {figures.num_seeds} say otherwise.", "open")
    return (
        Finding(f"{said} Yes.", "holds") if difference.difference < 0 else Finding(f"{said} No: it does harm.", "fails")
    )


def judge_translation(figures: TranslationFigures) -> Finding | None:
    """Whether a row translates at all, and better than the one without pre-training; None for that one."""
    title = f"{BY_NAME[figures.row].title} into {figures.language}"
    if figures.different.mean < HEARD * figures.num_clips:
        return Finding(
            f"{title}: {figures.different.mean:.0f} different translations of {figures.num_clips} clips. They depend "
            "little on what is said, so that their BLEU, and differences of it, say little.",
            "fails",
        )
    value = figures.difference
    if value is None:
        return None
    said = f"{title}: BLEU {value.difference:+.2f} ({value.low:+.2f} to {value.high:+.2f}) against no pre-training."
    if not value.is_shown:
        return Finding(f"{said} Not shown: the interval contains 0.", "open")
    return Finding(said, "holds" if value.difference > 0 else "fails")


def judge_collapse(found: ErrorFigures) -> Finding | None:
    """A warning where a row has learned nothing: a difference to it says little about what another has learned."""
    if found.cer.mean < COLLAPSED:
        return None
    said = f"{found.test_set}, {SEARCHES[found.search]}: {BY_NAME[found.row].title} gets {percents(found.cer)} %"
    return Finding(f"{said} of all characters wrong, as silence would. Differences to it flatter.", "fails")


def percents(value: Spread) -> str:
    """A rate in percent, with its deviation over seeds: ``48.1 ± 0.4 (3)``."""
    return _spread(100 * value.mean, None if value.deviation is None else 100 * value.deviation, len(value.values), 1)


def scores(value: Spread) -> str:
    """A score of 0 to 100, with its deviation over seeds."""
    return _spread(value.mean, value.deviation, len(value.values), 2)


def points(value: PairedDifference | None, scale: float = 100.0) -> str:
    """A difference in points with its interval; an asterisk where the interval leaves out 0."""
    if value is None:
        return "-"
    low, high = scale * value.low, scale * value.high
    return f"{scale * value.difference:+.1f} ({low:+.1f} to {high:+.1f}){'*' if value.is_shown else ''}"


def _spread(mean: float, deviation: float | None, seeds: int, digits: int) -> str:
    told = f"{mean:.{digits}f}"
    return f"{told} ({seeds})" if deviation is None else f"{told} ± {deviation:.{digits}f} ({seeds})"
