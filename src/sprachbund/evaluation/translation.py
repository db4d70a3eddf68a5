"""How good translations are: BLEU and chrF by sacrebleu, and the paired comparison of two systems.

Scores are of whole test sets (Papineni et al., 2002; Popović, 2015), cased and lower-cased, with the signature that
tells others how to get the same number (Post, 2018). Margins and comparisons resample utterances (Koehn, 2004).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sprachbund.config import from_mapping
from sprachbund.errors import DataError, RecipeError
from sprachbund.files import write_atomically

NUM_RESAMPLES = 1000
METRICS = ("BLEU", "BLEU-lc", "chrF", "chrF-lc")
_SHOWN = 10


@dataclass(frozen=True)
class Score:
    """A score of a whole test set, 0 to 100."""

    metric: str  # of `METRICS`; -lc of lower-cased texts
    value: float
    margin: float  # half of the 95 % interval over the utterances; 0 where it was not asked for
    signature: str  # by which sacrebleu gives the same number


@dataclass(frozen=True)
class Translation:
    """One utterance."""

    id: str
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class TranslationResult:
    """One system on one test set."""

    target: str
    scores: tuple[Score, ...]
    utterances: tuple[Translation, ...]


@dataclass(frozen=True)
class ScoreDifference:
    """Two systems on the same utterances."""

    metric: str
    value: float  # of the first system
    other: float  # of the second
    p: float  # of the difference, by paired bootstrap resampling

    @property
    def difference(self) -> float:
        """Above 0 where the first system is better."""
        return self.value - self.other


def score_translations(utterances: Iterable[tuple[str, str, str]], *, target: str) -> TranslationResult:
    """The scores of (id, reference, hypothesis) triples.

    Raises:
        DataError: there is no utterance, a reference is empty, or an id comes twice.
    """
    found = tuple(Translation(*utterance) for utterance in utterances)
    if not found:
        raise DataError("there is no utterance to evaluate", mend="Give at least one reference and its hypothesis.")
    if silent := next((each.id for each in found if not each.reference.strip()), None):
        raise DataError("a reference is empty", where=f"clip {silent}", mend="Leave out clips without a translation.")
    if len({each.id for each in found}) < len(found):
        raise DataError("a clip was evaluated twice", mend="Give every utterance its own id.")
    references, hypotheses = [each.reference for each in found], [each.hypothesis for each in found]
    scores = []
    for name, metric in _metrics().items():
        signature, (own,) = _resampled(metric, references, hypotheses)
        scores.append(Score(name, float(own.score), float(own.ci), signature))
    return TranslationResult(target, tuple(scores), found)


def corpus_scores(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float]:
    """BLEU and chrF of a few utterances, cased, for a look during training."""
    metrics = _metrics()
    return {
        name.lower(): metrics[name].corpus_score(list(hypotheses), [list(references)]).score
        for name in ("BLEU", "chrF")
    }


def compare_translations(a: TranslationResult, b: TranslationResult) -> tuple[ScoreDifference, ...]:
    """Every metric of both, by sacrebleu's paired bootstrap.

    Raises:
        DataError: the two were not evaluated on the same clips with the same references.
    """
    others = {each.id: each for each in b.utterances}
    if {each.id: each.reference for each in a.utterances} != {one.id: one.reference for one in b.utterances}:
        raise DataError(
            "two systems can only be compared on the same clips and references",
            given=f"{len(a.utterances)} and {len(b.utterances)} clips",
            mend="Evaluate both on one test set.",
        )
    references = [each.reference for each in a.utterances]
    ours = [each.hypothesis for each in a.utterances]
    theirs = [others[each.id].hypothesis for each in a.utterances]
    return tuple(_difference(name, metric, references, ours, theirs) for name, metric in _metrics().items())


def _difference(name: str, metric: Any, references: list[str], ours: list[str], theirs: list[str]) -> ScoreDifference:
    _, (other, own) = _resampled(metric, references, theirs, ours)
    # The test would call a difference of nothing certain.
    p = 1.0 if ours == theirs else float(own.p_value)
    return ScoreDifference(name, float(own.score), float(other.score), p)


def _resampled(metric: Any, references: list[str], *systems: list[str]) -> tuple[str, list[Any]]:
    """The signature, and the result of each system with its margin; those after the first are compared with it."""
    from sacrebleu.significance import PairedTest

    named: list[tuple[str, Sequence[str]]] = [(str(place), hypotheses) for place, hypotheses in enumerate(systems)]
    # One metric a test, as the test knows BLEU and lower-cased BLEU by one name.
    test = PairedTest(named, {"score": metric}, [references], "bs", NUM_RESAMPLES)
    signatures, told = test()
    ((name, signature),) = signatures.items()
    results: list[Any] = list(told[name])
    return str(signature), results


def save_translations(result: TranslationResult, path: Path) -> None:
    """Write everything as one JSON file, whole or not at all."""
    with write_atomically(path, mode="w") as handle:
        json.dump(asdict(result), handle, indent=1, ensure_ascii=False)
        handle.write("\n")


def load_translations(path: Path) -> TranslationResult:
    """Read what `save_translations` wrote.

    Raises:
        DataError: it is missing or is not what was written.
    """
    try:
        content: Any = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"{type(content).__name__} instead of a mapping")
        return from_mapping(TranslationResult, content, path)
    except (OSError, ValueError, RecursionError, RecipeError) as error:
        mend = "Name a file that `sprachbund evaluate translation --out` wrote."
        raise DataError("the translations cannot be read", where=path, given=error, mend=mend) from error


def summarize(result: TranslationResult) -> str:
    """A text of a few lines: the scores with their signatures, and the first translations."""
    lines = [f"utterances   {len(result.utterances)}, into {result.target}"]
    lines += [
        f"{score.metric:<12} {score.value:.1f} ± {score.margin:.1f}   {score.signature}" for score in result.scores
    ]
    lines += ["", f"the first {min(_SHOWN, len(result.utterances))} translations:"]
    for each in result.utterances[:_SHOWN]:
        lines += [f"  {each.id}", f"    wanted  {each.reference}", f"    found   {each.hypothesis}"]
    return "\n".join(lines) + "\n"


def _metrics() -> dict[str, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    kinds: dict[str, Any] = {"BLEU": BLEU, "chrF": CHRF}
    return {name: kinds[name.removesuffix("-lc")](lowercase=name.endswith("-lc")) for name in METRICS}
