"""Weights of a search tuned on a development set: CTC, language models, length, beam.

Every clip is encoded once. Then one setting after another is tried on a small grid, and what is best stays; rounds go
on until nothing gets better or the trials are used up. There is no chance in it: the same data gives the same setting.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

from sprachbund.config import require_choice
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.config import USES, USUAL, DecodingConfig
from sprachbund.decoding.recognition.encoding import EncodedRecordings
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import DataError, RecipeError
from sprachbund.evaluation.error_rates import PairedDifference
from sprachbund.evaluation.evaluate import EvaluationResult, compare_character_errors, compare_word_errors, evaluate

Metric = Literal["wer", "cer"]
# Values that are tried, for each setting that has a weight.
GRIDS: Mapping[str, tuple[float, ...]] = {
    "ctc_weight": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "language_models": (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.3),
    "length_bonus": (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0),
    "length_penalty": (0.0, 0.5, 1.0),
}

Coordinate = Callable[[DecodingConfig], list[DecodingConfig]]
"""From a setting to those that differ from it in one value."""


@dataclass(frozen=True)
class Trial:
    """One setting and its errors on the development set."""

    config: DecodingConfig
    result: EvaluationResult


@dataclass(frozen=True)
class Tuned:
    """The best setting that was tried, and where the search began."""

    config: DecodingConfig
    trials: tuple[Trial, ...]  # in their order; the first is where the search began


class EncodedClips:
    """Clips with transcripts, encoded once, decoded as often as wanted.

    Args:
        recognizer: what encodes and decodes.
        cuts: with one transcript each; all that the encoder makes of them stays in memory.
        config: batch size and precision of the encoder; recordings below one frame say nothing.

    Raises:
        DataError: there is no cut, or one without a transcript.
        AudioError: a recording that cannot be read.
    """

    def __init__(self, recognizer: Recognizer, cuts: Sequence[Any], config: DecodingConfig, at_once: int = 64) -> None:
        if not cuts:
            raise DataError("there is no clip to decode", mend="Give a manifest with transcripts.")
        self._recognizer = recognizer
        self._ids = [str(cut.id) for cut in cuts]
        self._references = [transcript_of(cut) for cut in cuts]
        self._seconds = float(sum(cut.duration for cut in cuts))
        self._batches = list(self._encode(cuts, config, at_once))
        self._results = dict[DecodingConfig, EvaluationResult]()

    def decode(self, config: DecodingConfig) -> EvaluationResult:
        """Transcripts of all clips under `config`, beside their references; decoded once."""
        if config not in self._results:
            self._results[config] = self._decode(config)
        return self._results[config]

    def _decode(self, config: DecodingConfig) -> EvaluationResult:
        texts = [""] * len(self._ids)
        for batch in self._batches:
            for place, transcript in zip(batch.places, self._recognizer.decode(batch, config), strict=True):
                texts[place] = transcript.text
        return evaluate(zip(self._ids, self._references, texts, strict=True), seconds=self._seconds)

    def _encode(self, cuts: Sequence[Any], config: DecodingConfig, at_once: int) -> Iterator[EncodedRecordings]:
        for first in range(0, len(cuts), at_once):
            waveforms = [read_waveform(cut) for cut in cuts[first : first + at_once]]
            for batch in self._recognizer.encode(waveforms, config):
                yield replace(batch, places=tuple(first + place for place in batch.places))


def choose_clips(cuts: Sequence[Any], most: int) -> list[Any]:
    """At most so many cuts in their order, chosen by the hash of their ids: the same ones whatever else is there."""
    by_hash = sorted(range(len(cuts)), key=lambda place: hashlib.sha256(str(cuts[place].id).encode()).digest())
    return [cuts[place] for place in sorted(by_hash[:most])]


def tune(
    decode: Callable[[DecodingConfig], EvaluationResult],
    start: DecodingConfig,
    *,
    metric: Metric = "wer",
    max_trials: int = 60,
    beams: Sequence[int] = (),
    on_trial: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Search the setting with the fewest errors, one coordinate after another.

    Args:
        decode: a setting to its figures, such as `EncodedClips.decode`.
        start: where the search begins; its method decides what there is to tune.
        metric: words or characters; the other decides between equals, then the earlier trial.
        max_trials: settings that are decoded at most.
        beams: beams that are tried; none leaves it alone.
        on_trial: told of every trial.

    Raises:
        RecipeError: the method has nothing to tune.
    """
    coordinates = list(_coordinates(start, beams))
    if not coordinates:
        mend = "Tune ctc-beam, attention or joint."
        raise RecipeError("there is nothing to tune", given=f"decoder {start.method}", mend=mend)
    tried: dict[DecodingConfig, Trial] = {}

    def errors(config: DecodingConfig) -> tuple[int, ...]:
        if config not in tried:
            tried[config] = Trial(config, decode(config))
            if on_trial is not None:
                on_trial(tried[config])
        result = tried[config].result
        counts = (result.wer.errors, result.cer.errors)
        return counts if metric == "wer" else counts[::-1]

    best = start
    errors(best)
    is_better = True
    while is_better and len(tried) < max_trials:
        is_better = False
        for settings in coordinates:
            for config in settings(best):
                if (config in tried or len(tried) < max_trials) and errors(config) < errors(best):
                    best, is_better = config, True
    return Tuned(best, tuple(tried.values()))


def require_metric(name: str) -> Metric:
    """The metric of this name.

    Raises:
        RecipeError: there is none.
    """
    chosen: Metric = require_choice(get_args(Metric), name, "metric")
    return chosen


def compare(a: EvaluationResult, b: EvaluationResult, metric: Metric) -> PairedDifference:
    """The error rate of `a` minus that of `b` on the same clips."""
    return compare_word_errors(a, b) if metric == "wer" else compare_character_errors(a, b)


def _coordinates(start: DecodingConfig, beams: Sequence[int]) -> Iterator[Coordinate]:
    """What can be changed, each as a function from a setting to its neighbours; the most important ones first."""
    uses = USES[start.method]
    for number in range(len(start.language_models)):
        yield partial(_reweighted, number=number)
    for name in ("ctc_weight", "length_bonus", "length_penalty"):
        if name in uses:
            yield partial(_changed, name=name, values=GRIDS[name])
    if beams and "beam" in uses:
        yield partial(_changed, name="beam", values=beams)


def _changed(config: DecodingConfig, *, name: str, values: Sequence[float]) -> list[DecodingConfig]:
    """The setting with each of the values."""
    usual = getattr(USUAL[config.method], name)
    # The usual value is written as such, else the same setting would be tried twice.
    changes: list[dict[str, Any]] = [{name: None if value == usual else value} for value in values]
    return [replace(config, **change) for change in changes]


def _reweighted(config: DecodingConfig, *, number: int) -> list[DecodingConfig]:
    """The setting with each weight of one of its language models."""
    models = config.language_models
    return [
        replace(
            config,
            language_models=(*models[:number], replace(models[number], weight=weight), *models[number + 1 :]),
        )
        for weight in GRIDS["language_models"]
    ]
