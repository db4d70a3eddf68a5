"""The report of a demo run: what was trained, what came out, and what that does and does not show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sprachbund.evaluation.error_rates import Baseline
from sprachbund.evaluation.evaluate import EvaluationResult
from sprachbund.evaluation.plots import collect_curves, plot_training_curves
from sprachbund.evaluation.report import (
    Block,
    Clip,
    Clips,
    Finding,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from sprachbund.evaluation.verdicts import (
    count,
    judge_baseline,
    judge_collapse,
    judge_difference,
    judge_overfit,
    percent,
)

System = Literal["pre-trained", "from scratch"]
_SYSTEM_NAMES: tuple[System, System] = ("pre-trained", "from scratch")
# Hours of speech that the paper's base model was pre-trained on (LibriSpeech).
_PAPER_HOURS = 960
_PRETRAINING_FIGURES = (
    "loss",
    "loss/speech/masked_units",
    "loss/text/text",
    "speech/masked_accuracy",
    "speech/unmasked_accuracy",
    "text/token_accuracy",
    "speech/codebook_perplexity",
    "gradient_norm",
    "audio_seconds_per_second",
)
_FINETUNING_FIGURES = ("loss", "cer", "wer", "blank_rate", "gradient_norm", "audio_seconds_per_second")


@dataclass(frozen=True)
class CorpusShare:
    """A part of the data and what it was used for."""

    name: str
    use: str  # such as "pre-training", "fine-tuning", "test"
    minutes: float  # of speech; 0 for text
    num_items: int  # clips, or lines of text


@dataclass(frozen=True)
class SystemResult:
    """One trained model, decoded in one way, on one test set."""

    system: System
    decoding: str  # such as "greedy CTC", "attention beam"
    test_set: str
    result: EvaluationResult

    @property
    def name(self) -> str:
        """What to call it where only one test set is talked about."""
        return f"{self.system}, {self.decoding}"


@dataclass(frozen=True)
class OverfitResult:
    """One batch trained alone, to see whether the pipeline can learn at all."""

    steps: int
    cer: float  # of the batch itself at the end, a fraction
    num_clips: int


@dataclass(frozen=True, kw_only=True)
class DemoFindings:
    """All that a demo run found; what is None or empty was not done, and the report says so."""

    recipe: str
    hardware: str  # one line, such as "2 CPU cores, 24 GB"
    stage_seconds: dict[str, float]  # in the order of the run
    speech_minutes: float  # of different speech heard in training, with or without text
    corpora: tuple[CorpusShare, ...]
    systems: tuple[SystemResult, ...]  # the first test set named is the main one
    baselines: dict[str, Baseline] = field(default_factory=dict)  # by test set
    pretraining_log: Path | None = None  # metrics.jsonl
    pretrained_log: Path | None = None  # of fine-tuning the pre-trained model
    scratch_log: Path | None = None  # of training the same model from scratch
    overfit: OverfitResult | None = None
    attention_png: bytes | None = None
    units_png: bytes | None = None
    clips: tuple[Clip, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)  # further lines, such as version, seed, parameters


def compose_report(findings: DemoFindings) -> Report:
    """The report of a demo run; write it with `sprachbund.evaluation.report.write_report`.

    Raises:
        DataError: a run log cannot be read, or systems that are compared were tested on different clips.
    """
    return Report(
        title=f"sprachbund: the {findings.recipe} recipe",
        summary=f"{_duration(sum(findings.stage_seconds.values()))} on {findings.hardware}.",
        sections=(
            Section("What came out", _compose_outcome(findings)),
            Section("What was done", _compose_budget(findings)),
            Section("Error rates", _compose_error_rates(findings)),
            Section("Training", _compose_training(findings)),
            Section("A look inside", _compose_pictures(findings)),
            Section("Listen", _compose_clips(findings)),
            Section("What this does not show", _compose_limits(findings)),
        ),
    )


def _compose_outcome(findings: DemoFindings) -> tuple[Block, ...]:
    """The figures to see first, and the verdicts: on the trivial baseline for the main test set only."""
    if not findings.systems:
        return (Finding("Nothing was evaluated, so nothing is shown.", "open"), *_judge_pipeline(findings))
    return (
        KeyFigures(tuple(_key_figures(findings))),
        *_judge_pipeline(findings),
        *_judge_systems(_on(findings, _test_sets(findings)[0]), findings.baselines),
        *_judge_pretraining(findings),
    )


def _key_figures(findings: DemoFindings) -> Iterator[KeyFigure]:
    """The best system of the main test set, the baseline beside it, the data and the time."""
    test_set = findings.systems[0].test_set
    # The lowest of several on the test set is a flattering choice, so the label says that it was chosen.
    best = min(_on(findings, test_set), key=lambda system: system.result.cer.rate)
    chosen = f"lowest of {count(len(_on(findings, test_set)), 'system')}: {best.name}"
    yield KeyFigure(_percent(best.result.cer.rate), f"character error rate on {test_set}", chosen)
    yield KeyFigure(_percent(best.result.wer.rate), "word error rate of the same", best.name)
    if baseline := findings.baselines.get(test_set):
        answer = f"always “{baseline.line}”"
        yield KeyFigure(_percent(baseline.cer.rate), "character error rate of the trivial baseline", answer)
    yield KeyFigure(f"{findings.speech_minutes:.0f} min", "of speech heard in training")
    yield KeyFigure(_duration(sum(findings.stage_seconds.values())), "in all", findings.hardware)


def _judge_pipeline(findings: DemoFindings) -> Iterator[Finding]:
    overfit = findings.overfit
    if overfit is None:
        yield Finding(
            "No single batch was trained alone, so it is open whether the pipeline can learn by heart.", "open"
        )
    else:
        yield judge_overfit(overfit.steps, overfit.cer, overfit.num_clips)


def _judge_systems(systems: Sequence[SystemResult], baselines: Mapping[str, Baseline]) -> Iterator[Finding]:
    """Every system against the trivial baseline, and signs of collapse."""
    for system in systems:
        name = f"{system.test_set}, {system.name}"
        baseline = baselines.get(system.test_set)
        if baseline is None:
            yield Finding(f"{name}: no trivial baseline was measured on this test set.", "open")
        else:
            yield judge_baseline(name, system.result, baseline)
        warning = judge_collapse(name, system.result)
        if warning is not None:
            yield warning


def _judge_pretraining(findings: DemoFindings) -> Iterator[Finding]:
    """Pre-trained against from scratch, wherever both were measured."""
    pairs = _pairs(findings)
    for pretrained, scratch in pairs:
        on = f"{pretrained.test_set}, {pretrained.decoding}"
        yield judge_difference(_SYSTEM_NAMES, on, pretrained.result, scratch.result)
    if not pairs:
        yield Finding("Pre-trained and from scratch were not both measured, so what pre-training does is open.", "open")


def _pairs(findings: DemoFindings) -> list[tuple[SystemResult, SystemResult]]:
    """The pre-trained and the scratch system of every test set and decoding that has both."""
    first, second = _SYSTEM_NAMES
    return [
        (a, b)
        for a in findings.systems
        for b in findings.systems
        if (a.system, b.system) == (first, second) and (a.test_set, a.decoding) == (b.test_set, b.decoding)
    ]


def _compose_budget(findings: DemoFindings) -> tuple[Block, ...]:
    corpora = tuple(
        (share.name, share.use, f"{share.minutes:.1f}" if share.minutes else "-", str(share.num_items))
        for share in findings.corpora
    )
    stages = tuple((stage, _duration(seconds)) for stage, seconds in findings.stage_seconds.items())
    facts = tuple({"recipe": findings.recipe, "hardware": findings.hardware, **findings.facts}.items())
    return (
        Table(("data", "used for", "minutes", "clips or lines"), corpora, caption="Data"),
        Table(("stage", "time"), stages, caption="Time"),
        Table(("setting", "value"), facts, caption="Settings"),
    )


def _compose_error_rates(findings: DemoFindings) -> tuple[Block, ...]:
    """One table for each test set, the trivial baseline in its first row, and what is not said above."""
    if not findings.systems:
        return (Paragraph("Nothing was evaluated."),)
    explanation = Paragraph(
        "Errors are substitutions, insertions and deletions over the length of all references. The numbers in brackets "
        "are 95 % bootstrap intervals over the clips of the test set."
    )
    blocks: list[Block] = [explanation]
    for place, test_set in enumerate(_test_sets(findings)):
        blocks.append(_rates_table(findings, test_set))
        if place:
            blocks += _judge_systems(_on(findings, test_set), findings.baselines)
    return tuple(blocks)


def _rates_table(findings: DemoFindings, test_set: str) -> Table:
    header = ("system", "character errors", "word errors", "exact", "different answers", "blank frames")
    rows = []
    systems = _on(findings, test_set)
    if baseline := findings.baselines.get(test_set):
        exact = sum(counts.errors == 0 for counts in baseline.characters)
        cells = (_short(percent(baseline.cer)), _short(percent(baseline.wer)))
        rows.append((f"always “{baseline.line}”", *cells, str(exact), "1", "-"))
    for system in systems:
        result = system.result
        blank = "-" if result.blank_rate is None else _percent(result.blank_rate)
        different = len({clip.hypothesis for clip in result.clips})
        cells = (_short(percent(result.cer)), _short(percent(result.wer)))
        rows.append((system.name, *cells, str(result.num_exact), str(different), blank))
    first = systems[0].result
    heard = "" if first.seconds is None else f", {first.seconds / 60:.1f} minutes"
    return Table(header, tuple(rows), caption=f"{test_set}: {count(first.num_clips, 'clip')}{heard}")


def _compose_training(findings: DemoFindings) -> tuple[Block, ...]:
    """The curves of pre-training, and those of both fine-tunings over each other."""
    blocks: list[Block] = []
    if findings.pretraining_log is not None:
        blocks += _curves({"pre-training": findings.pretraining_log}, _PRETRAINING_FIGURES, "Pre-training")
    logs = dict(zip(_SYSTEM_NAMES, (findings.pretrained_log, findings.scratch_log), strict=True))
    runs: dict[str, Path] = {system: path for system, path in logs.items() if path is not None}
    if runs:
        blocks += _curves(runs, _FINETUNING_FIGURES, "Fine-tuning")
    return tuple(blocks) or (Paragraph("No run log was given."),)


def _curves(runs: dict[str, Path], figures: tuple[str, ...], title: str) -> list[Block]:
    """The picture of the curves, told in words from what they hold."""
    curves = collect_curves(runs)
    shown = [figure for figure in figures if figure in curves]
    if not shown:
        return [Paragraph(f"{title}: the run log holds none of the figures that are drawn here.")]
    told = [
        f"{figure.replace('_', ' ')} ({curve.run}, {curve.split}) from {curve.values[0]:.4g} to {curve.values[-1]:.4g}"
        for figure in shown[:2]
        for curve in curves[figure]
    ]
    alt = f"{title} curves over steps. {'; '.join(told)}."
    caption = f"{title}. Thin lines: training; lines with dots: validation."
    return [Picture(plot_training_curves(runs, figures=shown), caption, alt)]


def _compose_pictures(findings: DemoFindings) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if findings.attention_png is not None:
        caption = (
            "Attention of the text decoder on one clip. A decoder that listens moves from the upper left to the lower "
            "right; blocks or level rows mean that it writes from memory."
        )
        alt = "Heat map of attention: a row for each token of the transcript, time from left to right."
        blocks.append(Picture(findings.attention_png, caption, alt))
    if findings.units_png is not None:
        caption = "One clip: its waveform, its log-mel spectrogram, and the units that pre-training learns to predict."
        alt = "Waveform, spectrogram and a strip of coloured unit numbers under one time axis."
        blocks.append(Picture(findings.units_png, caption, alt))
    return tuple(blocks) or (Paragraph("No picture was made."),)


def _compose_clips(findings: DemoFindings) -> tuple[Block, ...]:
    if not findings.clips:
        return (Paragraph("No clip was kept."),)
    return (Clips(findings.clips),)


def _compose_limits(findings: DemoFindings) -> tuple[Block, ...]:
    """What a reader might conclude and should not."""
    sentences = []
    if findings.speech_minutes < _PAPER_HOURS * 60 / 10:
        sentences.append(
            f"The models heard {findings.speech_minutes:.0f} minutes of speech in training; the paper's base model was "
            f"pre-trained on {_PAPER_HOURS} hours. These figures tell whether the method runs and learns, not how good "
            "it is at its proper size."
        )
    if findings.systems:
        sentences.append(
            "Each system was trained once. The intervals cover the choice of test clips, not the luck of a training "
            "run: another seed may move any difference, also one that is called shown."
        )
    comparisons = len(findings.systems) + len(_pairs(findings))
    if comparisons > 1:
        sentences.append(
            f"There are {comparisons} comparisons on this page. Each interval by itself is right about 95 times in "
            "100, so among many one may mislead."
        )
    return tuple(Paragraph(sentence) for sentence in sentences)


def _test_sets(findings: DemoFindings) -> list[str]:
    return list(dict.fromkeys(system.test_set for system in findings.systems))


def _on(findings: DemoFindings, test_set: str) -> list[SystemResult]:
    return [system for system in findings.systems if system.test_set == test_set]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _short(rate: str) -> str:
    """A rate for a table whose text has said that the brackets are 95 % intervals."""
    return rate.replace("95 %: ", "")


def _duration(seconds: float) -> str:
    """``41 s``, ``12 min``, ``3.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
