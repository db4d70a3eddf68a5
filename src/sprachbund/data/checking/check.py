"""The whole check: manifests, the sets held out from them, and text streams, judged into one report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sprachbund.data.checking.cuts import CutJudge, Manifest
from sprachbund.data.checking.items import read_items
from sprachbund.data.checking.problems import SHORT_WORDS, Fault, Problem, Report, Summary
from sprachbund.data.checking.rules import Rules
from sprachbund.data.checking.sounds import read_sounds
from sprachbund.data.checking.text_files import judge_lines
from sprachbund.data.checking.texts import TextRules, count_words
from sprachbund.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What is checked."""

    manifests: Sequence[Path] = ()
    held_out: Sequence[Path] = ()  # manifests that may share nothing with the others
    texts: Sequence[Path] = ()  # streams of one text a line


@dataclass(frozen=True)
class Outcome:
    """The report, and the rules by which the texts were judged."""

    report: Report
    text_rules: TextRules


def check(inputs: Inputs, rules: Rules) -> Outcome:
    """Check everything; what is wrong is counted, and ends nothing.

    Raises:
        DataError: a file is not there, or is given twice.
    """
    _check_paths(inputs)
    against = ", ".join(map(str, inputs.held_out)) or "nothing (name held-out sets with --against)"
    report = Report(checked=[f"overlap: with {against}", *rules.describe()])
    # Held-out sets first: where two cuts share an id, the training side loses.
    manifests = [_read(path, rules, report, is_held_out=True) for path in inputs.held_out]
    manifests += [_read(path, rules, report, is_held_out=False) for path in inputs.manifests]
    recordings = dict.fromkeys(part.path for manifest in manifests for item in manifest.items for part in item.parts)
    judge = CutJudge(rules, manifests, read_sounds(list(recordings), rules.jobs, is_quick=rules.is_quick))
    for manifest in manifests:
        for item, fault in judge.judge(manifest):
            report.blame(item.problem(*fault))
            _count_short(report, fault, item.texts)
        report.summaries[manifest.path] = _sum_up(manifest, judge)
    for path in inputs.texts:
        _check_text(path, judge.text_rules, report)
    return Outcome(report, judge.text_rules)


def _check_paths(inputs: Inputs) -> None:
    paths = (*inputs.manifests, *inputs.held_out, *inputs.texts)
    if missing := [path for path in paths if not path.is_file()]:
        raise DataError("there is no such file", where=missing[0], mend="Check the path, or fetch the corpus first.")
    counts = Counter(path.resolve() for path in paths)
    if repeated := [path for path, count in counts.items() if count > 1]:
        raise DataError("a file is given twice", where=repeated[0], mend="Name each file once.")


def _read(path: Path, rules: Rules, report: Report, *, is_held_out: bool) -> Manifest:
    return Manifest(path, list(read_items(path, report.blame, is_quick=rules.is_quick)), is_held_out)


def _sum_up(manifest: Manifest, judge: CutJudge) -> Summary:
    summary = Summary(clips=len(manifest.items))
    for item in manifest.items:
        summary.seconds += item.duration
        summary.speakers.update([item.speaker] if item.speaker else [])
        summary.languages.update([item.language] if item.language else [])
        sounds = (judge.sounds[part.path] for part in item.parts)
        summary.rates.update(sound.sampling_rate for sound in sounds if sound.damage is None)
        for text in item.texts:
            summary.add_text(text)
    return summary


def _check_text(path: Path, rules: TextRules, report: Report) -> None:
    """Lines are counted, not kept: there may be more of them than memory holds."""
    summary = report.summaries[path] = Summary(is_text=True)
    for judged in judge_lines(path, rules):
        summary.clips += judged.line.damage is None
        summary.add_text(judged.text)
        for fault in judged.faults:
            report.add(Problem(fault.kind, fault.detail, path, judged.line.number))
            _count_short(report, fault, [judged.text])
    if not summary.clips:
        report.add(Problem("damaged-file", "the text is empty", path, 0))


def _count_short(report: Report, fault: Fault, texts: Sequence[str]) -> None:
    if fault.kind == "held-out-text":
        report.short_overlaps += all(count_words(text) <= SHORT_WORDS for text in texts)
