"""A probe of one encoder over several seeds: the figures, as a file and as a table, and which of two probes is better.

Errors of a clip are summed over the seeds, and the interval resamples clips. So it tells how the rate hangs on the
clips, and the rates of the seeds tell how it hangs on the draws.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import ErrorCounts, ErrorRate, PairedDifference, error_rate, paired_bootstrap
from sprachbund.evaluation.frozen_features import FeatureStore, LayerFeatures
from sprachbund.evaluation.probe_data import IGNORED, LabelledCuts, ProbeSet, ProbeTask, gather
from sprachbund.evaluation.probing import (
    ProbeConfig,
    Scaling,
    TrainedProbe,
    measure_scaling,
    pooled_rate,
    score_probe,
    train_probe,
)
from sprachbund.files import write_atomically

SETS = ("train", "valid", "test")
RATE_NAMES = {
    ProbeTask.PHONES: "phone error rate",
    ProbeTask.FRAMES: "frame error rate",
    ProbeTask.CHARACTERS: "wrong characters",
}


@dataclass(frozen=True)
class SetFacts:
    """What of a set was used."""

    clips: int
    seconds: float  # of audio
    frames: int
    left_out: dict[str, int]  # clips, by reason
    unseen: int  # labels that no training clip has


@dataclass(frozen=True)
class SeedResult:
    """One training of the probe."""

    seed: int
    features: tuple[str, ...]  # names of the layers
    epoch: int  # the one with the fewest errors on the validation set
    blank_shift: float  # added to the blank's logit, chosen with the epoch; 0 where there is no blank
    valid_rate: float
    test_rate: float
    layer_weights: tuple[float, ...]


@dataclass(frozen=True)
class ClipErrors:
    """Errors in one test clip, over all seeds together."""

    id: str
    errors: int
    length: int


@dataclass(frozen=True)
class ProbeReport:
    """A probe of one encoder."""

    task: ProbeTask
    encoder: str  # as the user named it
    classes: int
    rate: ErrorRate  # on the test set
    commonest: float | None  # the rate of always answering the commonest class of training; None for phones
    seeds: tuple[SeedResult, ...]
    sets: dict[str, SetFacts]
    config: ProbeConfig
    feature_seconds: float  # to compute what was not stored yet
    training_seconds: float
    clips: tuple[ClipErrors, ...]


_REPORT = TypeAdapter(ProbeReport)


def probe_encoder(
    features_of: Callable[[int], LayerFeatures],
    sets: Mapping[str, LabelledCuts],
    task: ProbeTask,
    folder: Path,
    *,
    encoder: str,
    num_seeds: int,
    config: ProbeConfig,
) -> ProbeReport:
    """Train and score a probe for each seed.

    Args:
        features_of: the features for a seed: the same object, or those of weights drawn anew.
        sets: train, valid and test.
        task: what the probe is to tell.
        folder: of the stored features.
        encoder: its name in the report.
        num_seeds: the seeds 0, 1 and so on.
        config: of the training.

    Raises:
        DataError: sets that overlap, or of which nothing is left.
        AudioError: a recording cannot be read.
    """
    refuse_overlap(sets)
    num_classes = len(sets["train"].symbols)
    started, feature_seconds = time.perf_counter(), 0.0
    features: LayerFeatures | None = None
    gathered: dict[str, ProbeSet] = {}
    seeds, counts = list[SeedResult](), list[list[ErrorCounts]]()
    for seed in range(num_seeds):
        begun = time.perf_counter()
        of_seed = features_of(seed)
        if features is None or of_seed.names != features.names:
            features = of_seed
            gathered, scaling = _prepare(sets, task, FeatureStore(features, folder))
        feature_seconds += time.perf_counter() - begun
        trained = train_probe(
            gathered["train"], gathered["valid"], task, num_classes, seed=seed, config=config, scaling=scaling
        )
        counts.append(score_probe(trained, gathered["test"].clips))
        seeds.append(_seed_result(seed, features.names, trained, pooled_rate(counts[-1])))
        _tell(f"seed {seed}: {RATE_NAMES[task]} {100 * seeds[-1].test_rate:.1f} %")
    summed = [_sum(of_clip) for of_clip in zip(*counts, strict=True)]
    return ProbeReport(
        task=task,
        encoder=encoder,
        classes=num_classes,
        rate=error_rate(summed),
        commonest=_commonest_rate(gathered, task),
        seeds=tuple(seeds),
        sets={name: _facts(one) for name, one in gathered.items()},
        config=config,
        feature_seconds=feature_seconds,
        training_seconds=time.perf_counter() - started - feature_seconds,
        clips=_clip_errors(gathered["test"], summed),
    )


def _prepare(
    sets: Mapping[str, LabelledCuts], task: ProbeTask, store: FeatureStore
) -> tuple[dict[str, ProbeSet], Scaling]:
    classes = sets["train"].symbols
    gathered = {name: gather(sets[name], task, store, classes, name) for name in SETS}
    return gathered, measure_scaling(gathered["train"].clips, task)


def refuse_overlap(sets: Mapping[str, LabelledCuts]) -> None:
    """Refuse sets that judge a probe on what it learned from.

    Raises:
        DataError: a training clip is in another set too.
    """
    learned = {one.cut.id for one in sets["train"].cuts}
    for name in SETS[1:]:
        if both := sorted(learned & {one.cut.id for one in sets[name].cuts}):
            raise DataError(
                f"{len(both)} clips are in the training set and in the set '{name}'",
                given=both[0],
                mend="Give sets that do not overlap.",
            )


def compare_probes(one: ProbeReport, other: ProbeReport) -> PairedDifference:
    """The rate of `one` minus that of `other` on the test clips of both; see `paired_bootstrap`.

    Raises:
        DataError: they are of other tasks, clips or numbers of seeds.
    """
    sizes = [{clip.id: clip.length for clip in report.clips} for report in (one, other)]
    if one.task is not other.task or sizes[0] != sizes[1]:
        raise DataError(
            "two probes can only be compared on the same task, test clips and number of seeds",
            given=" and ".join(f"{r.task}, {len(r.clips)} clips, {len(r.seeds)} seeds" for r in (one, other)),
            mend="Give the same sets and seeds to both.",
        )
    errors = {clip.id: clip.errors for clip in other.clips}
    return paired_bootstrap(
        [clip.errors for clip in one.clips],
        [errors[clip.id] for clip in one.clips],
        [clip.length for clip in one.clips],
    )


def save_report(report: ProbeReport, path: Path) -> None:
    """Write a report as JSON."""
    with write_atomically(path) as handle:
        handle.write(_REPORT.dump_json(report, indent=1) + b"\n")


def load_report(path: Path) -> ProbeReport:
    """Read what `save_report` wrote.

    Raises:
        DataError: the file is missing, or holds no such report.
    """
    try:
        return _REPORT.validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise DataError("the probe's report cannot be read", where=path, given=error.strerror) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(
            "the file is no report of a probe",
            where=path,
            given=f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
            mend="Give a file that `sprachbund probe` wrote.",
        ) from None


def summarize(report: ProbeReport) -> str:
    """The report as lines to read."""
    rates = [100 * seed.test_rate for seed in report.seeds]
    spread = f", by seed {', '.join(f'{rate:.1f}' for rate in rates)}" if len(rates) > 1 else ""
    interval = f"{100 * report.rate.low:.1f} to {100 * report.rate.high:.1f}"
    lines = [
        f"encoder            {report.encoder}",
        f"task               {report.task}, {report.classes} classes",
        f"{RATE_NAMES[report.task]:<19}{100 * report.rate.rate:.1f} % ({interval}{spread})",
    ]
    if report.commonest is not None:
        lines.append(f"{'commonest class':<19}{100 * report.commonest:.1f} %")
    weights = np.mean([seed.layer_weights for seed in report.seeds], axis=0)
    for name, weight in zip(report.seeds[0].features, weights, strict=True):
        lines.append(f"{'layer ' + name.rpartition(':')[2]:<19}{100 * weight:.1f} % of the mix")
    for name, facts in report.sets.items():
        left = "".join(f"; left out: {count} {reason}" for reason, count in sorted(facts.left_out.items()))
        unseen = f"; {facts.unseen} labels not in training" if facts.unseen else ""
        lines.append(f"{name:<19}{facts.clips} clips, {facts.seconds / 3600:.2f} h{left}{unseen}")
    lines.append(f"{'seconds':<19}{report.feature_seconds:.0f} for features, {report.training_seconds:.0f} for probes")
    return "\n".join(lines)


def describe_difference(difference: PairedDifference, report: ProbeReport, other: ProbeReport) -> str:
    """One line: by how much which is better, and whether that is more than chance."""
    points = f"{100 * difference.difference:+.1f} points ({100 * difference.low:+.1f} to {100 * difference.high:+.1f})"
    verdict = "shown" if difference.is_shown else "not shown"
    return f"{RATE_NAMES[report.task]} of {report.encoder} against {other.encoder}: {points}, {verdict}"


def _seed_result(seed: int, names: Sequence[str], trained: TrainedProbe, rate: float) -> SeedResult:
    weights = tuple(round(weight, 6) for weight in trained.probe.layer_weights.tolist())
    return SeedResult(seed, tuple(names), trained.epoch, trained.blank_shift, trained.valid_rate, rate, weights)


def _sum(counts: Sequence[ErrorCounts]) -> ErrorCounts:
    fields = np.array([list(asdict(count).values()) for count in counts]).sum(axis=0)
    return ErrorCounts(*(int(value) for value in fields))


def _clip_errors(test: ProbeSet, counts: Sequence[ErrorCounts]) -> tuple[ClipErrors, ...]:
    return tuple(ClipErrors(clip.id, one.errors, one.length) for clip, one in zip(test.clips, counts, strict=True))


def _tell(line: str) -> None:
    Console(stderr=True).print(line, highlight=False)


def _facts(one: ProbeSet) -> SetFacts:
    return SetFacts(len(one.clips), one.seconds, one.frame_count, dict(one.left_out), one.unseen)


def _commonest_rate(sets: Mapping[str, ProbeSet], task: ProbeTask) -> float | None:
    """How often the commonest label of the training set is wrong on the test set."""
    if task is ProbeTask.PHONES:
        return None
    train, test = (np.concatenate([clip.labels for clip in sets[name].clips]) for name in ("train", "test"))
    commonest = np.bincount(train[train != IGNORED]).argmax()
    judged = test[test != IGNORED]
    return float((judged != commonest).mean())
