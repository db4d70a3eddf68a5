"""All figures of a comparison, from the jobs that are done; what is missing is missing here too."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sprachbund.evaluation.error_rates import PairedDifference
from sprachbund.evaluation.evaluate import EvaluationResult, load_evaluation
from sprachbund.evaluation.translation import TranslationResult, load_translations
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.places import SEARCHES, TEST_SETS
from sprachbund.experiments.claims.rows import CONTRASTS, PREPARED, ROWS, Contrast, Row
from sprachbund.experiments.claims.statistics import Spread, compare_bleu, compare_error_rates, spread

Results = Mapping[int, EvaluationResult]  # by seed
Translations = Mapping[int, TranslationResult]


@dataclass(frozen=True, kw_only=True)
class ErrorFigures:
    """A row on a test set, searched in one way."""

    row: str
    test_set: str
    search: str
    cer: Spread
    wer: Spread
    blank_rate: float | None  # mean over seeds; None where a beam searched
    cer_difference: PairedDifference | None  # against the baseline of the row; None for a baseline
    wer_difference: PairedDifference | None


@dataclass(frozen=True, kw_only=True)
class TranslationFigures:
    """A row into one language."""

    row: str
    language: str
    scores: dict[str, Spread]  # by metric
    signatures: dict[str, str]  # by metric
    num_clips: int
    different: Spread  # how many different texts it wrote for them; few where it did not listen
    difference: PairedDifference | None  # of BLEU against the row without pre-training, above 0 where better
    difference_lower_cased: PairedDifference | None


@dataclass(frozen=True, kw_only=True)
class ContrastFigures:
    """An answer: the error rate of one row minus that of another."""

    contrast: Contrast
    test_set: str
    search: str
    cer: PairedDifference
    wer: PairedDifference
    cer_by_seed: dict[int, float]  # differences with the seeds that both rows have

    @property
    def num_seeds(self) -> int:
        """With which both rows were fine-tuned."""
        return len(self.cer_by_seed)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Everything that is known."""

    errors: tuple[ErrorFigures, ...]
    translations: tuple[TranslationFigures, ...]
    contrasts: tuple[ContrastFigures, ...]
    supervision: dict[str, tuple[str, ...]]  # by row; rows whose data is not prepared are not there


def collect(shared: SharedData) -> Figures:
    """The figures of all jobs that are done.

    Raises:
        DataError: a result cannot be read, or results do not go together.
    """
    found = {row.name: _results(shared, row) for row in ROWS}
    errors = [
        _errors(row, kind, results, found[row.baseline].get(kind, {}) if row.baseline else {})
        for row in ROWS
        for kind, results in found[row.name].items()
    ]
    contrasts = [
        _contrast(contrast, kind, found[contrast.row][kind], found[contrast.against][kind])
        for contrast in CONTRASTS
        for kind in found[contrast.row]
        if set(found[contrast.row][kind]) & set(found[contrast.against].get(kind, {}))
    ]
    supervision = {row.name: told for row in ROWS if (told := _supervision(shared, row)) is not None}
    return Figures(
        errors=tuple(errors),
        translations=tuple(_all_translations(shared)),
        contrasts=tuple(contrasts),
        supervision=supervision,
    )


def _results(shared: SharedData, row: Row) -> dict[tuple[str, str], Results]:
    """By test set and search; kinds without any seed are left out."""
    places = shared.places
    seeds = [seed for seed in shared.budget.seeds if places.note(f"{row.name}-test-{seed}").exists()]
    if not seeds:
        return {}
    return {
        (test_set, search): {
            seed: load_evaluation(places.evaluation(row.name, seed, test_set, search)) for seed in seeds
        }
        for test_set in TEST_SETS
        for search in SEARCHES
    }


def _errors(row: Row, kind: tuple[str, str], results: Results, baseline: Results) -> ErrorFigures:
    is_compared = bool(set(results) & set(baseline))
    rates = [result.blank_rate for result in results.values() if result.blank_rate is not None]
    return ErrorFigures(
        row=row.name,
        test_set=kind[0],
        search=kind[1],
        cer=spread({seed: result.cer.rate for seed, result in results.items()}),
        wer=spread({seed: result.wer.rate for seed, result in results.items()}),
        blank_rate=sum(rates) / len(rates) if rates else None,
        cer_difference=compare_error_rates(results, baseline, "cer") if is_compared else None,
        wer_difference=compare_error_rates(results, baseline, "wer") if is_compared else None,
    )


def _contrast(contrast: Contrast, kind: tuple[str, str], a: Results, b: Results) -> ContrastFigures:
    return ContrastFigures(
        contrast=contrast,
        test_set=kind[0],
        search=kind[1],
        cer=compare_error_rates(a, b, "cer"),
        wer=compare_error_rates(a, b, "wer"),
        cer_by_seed={seed: result.cer.rate - b[seed].cer.rate for seed, result in a.items() if seed in b},
    )


def _all_translations(shared: SharedData) -> list[TranslationFigures]:
    rows = [row for row in ROWS if row.translation is not None]
    found = []
    for language in shared.budget.languages:
        baseline = _translations(shared, rows[0], language)
        for row in rows:
            results = _translations(shared, row, language)
            if results:
                found.append(_translation(row, language, results, {} if row is rows[0] else baseline))
    return found


def _translations(shared: SharedData, row: Row, language: str) -> Translations:
    places = shared.places
    paths: dict[int, Path] = {
        seed: places.translations(row.name, language, seed)
        for seed in shared.budget.seeds
        if places.note(f"{row.name}-{language}-test-{seed}").exists()
    }
    return {seed: load_translations(path) for seed, path in paths.items()}


def _translation(row: Row, language: str, results: Translations, baseline: Translations) -> TranslationFigures:
    is_compared = bool(set(results) & set(baseline))
    names = [score.metric for score in next(iter(results.values())).scores]
    by_seed = {seed: {score.metric: score for score in result.scores} for seed, result in results.items()}
    return TranslationFigures(
        row=row.name,
        language=language,
        scores={name: spread({seed: scores[name].value for seed, scores in by_seed.items()}) for name in names},
        signatures={score.metric: score.signature for score in next(iter(results.values())).scores},
        num_clips=len(next(iter(results.values())).utterances),
        different=spread({seed: len({one.hypothesis for one in each.utterances}) for seed, each in results.items()}),
        difference=compare_bleu(results, baseline, lower_cased=False) if is_compared else None,
        difference_lower_cased=compare_bleu(results, baseline, lower_cased=True) if is_compared else None,
    )


def _supervision(shared: SharedData, row: Row) -> tuple[str, ...] | None:
    """What a row learned from outside speech and text in pre-training; None where that is not known yet."""
    if row.pretraining is None or not row.reads_units:
        return ("none",)
    if row.data is None or not shared.places.note(f"prepare-{row.data}").exists():
        return None
    # Other recipes read text as letters; the rows without text read only units of speech.
    if row.pretraining != PREPARED or not row.reads_text:
        return ("none: its units are clusters of frames of an encoder that learned from speech alone",)
    return tuple(shared.supervision(row.data))
