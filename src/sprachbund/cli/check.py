"""``sprachbund check MANIFEST...``."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.data.checking.problems import Report
from sprachbund.errors import DataError
from sprachbund.files import write_atomically

app = typer.Typer(add_completion=False)

Manifests = Annotated[
    list[Path] | None, typer.Argument(metavar="MANIFEST", help="Manifests to check, and line stores.")
]
HeldOut = Annotated[
    list[Path] | None, typer.Option(help="Held-out manifest, which the others may share nothing with; repeatable.")
]
Texts = Annotated[list[Path] | None, typer.Option(help="Text stream to check, a text a line; repeatable.")]
Tokenizer = Annotated[Path | None, typer.Option(help="Folder of the tokenizer that must know all texts.")]
Units = Annotated[Path | None, typer.Option(help="Folder of the unit model that the labels must be of.")]
Rate = Annotated[int | None, typer.Option(min=1, help="Sampling rate that the recordings must have.")]
Seconds = Annotated[float | None, typer.Option(min=0.0, help="Longest cut; held-out ones may be longer.")]
Characters = Annotated[int | None, typer.Option(min=1, help="Longest text; held-out ones may be longer.")]
Fix = Annotated[Path | None, typer.Option(help="Folder, or for one input the file, to write what is sound to.")]
ReportFile = Annotated[Path | None, typer.Option("--json", help="File to write the report to.")]
Jobs = Annotated[int, typer.Option(min=0, help="Processes; as many as there are cores where 0.")]
Quick = Annotated[bool, typer.Option("--quick", help="Believe headers: decode no recording, open no units.")]


@app.command()
def check(
    manifests: Manifests = None,
    against: HeldOut = None,
    text: Texts = None,
    vocabulary: Tokenizer = None,
    units: Units = None,
    rate: Rate = None,
    max_seconds: Seconds = None,
    max_characters: Characters = None,
    fix: Fix = None,
    report_file: ReportFile = None,
    jobs: Jobs = 0,
    quick: Quick = False,
) -> None:
    """Look for what would spoil a training; exit code 0 where the data is clean, else 2.

    Recordings are decoded in full. Warnings (silence, clipping, several channels) leave the data clean. `--fix` never
    changes the held-out sets, and ends with 0 where everything else could be dropped.
    """
    from sprachbund.data.checking.check import Inputs
    from sprachbund.data.checking.check import check as check_data
    from sprachbund.data.checking.fix import dropped_list, plan_targets, write_fixed
    from sprachbund.data.checking.rules import Rules
    from sprachbund.data.text.checking import check_store
    from sprachbund.tokens.phone_labels import load_unit_labels
    from sprachbund.tokens.text import load_tokenizer

    stores, files = _parted(manifests or [])
    for store in stores:
        typer.echo(f"{store}: {check_store(store)}")
    inputs = Inputs(manifests=files, held_out=against or (), texts=text or ())
    if stores and not (files or against or text):
        return
    if not inputs.manifests and not inputs.texts:
        raise DataError("there is nothing to check", mend="Name manifests, or texts with --text.")
    if fix is not None:
        plan_targets(inputs, fix)  # a place that will not do is told before the work
    rules = Rules(
        rate=rate,
        max_seconds=max_seconds,
        max_characters=max_characters,
        tokenizer=None if vocabulary is None else load_tokenizer(vocabulary),
        units=None if units is None else load_unit_labels(units),
        is_quick=quick,
        jobs=jobs or os.cpu_count() or 1,
    )
    outcome = check_data(inputs, rules)
    _show(outcome.report)
    facts = outcome.report.to_mapping()
    if fix is None:
        _write_report(facts, report_file)
        outcome.report.require_clean()
        return
    fixed = write_fixed(inputs, fix, outcome)
    _write_report({**facts, "fixed": [result.to_mapping() for result in fixed]}, report_file)
    typer.echo("\n".join(map(str, fixed)))
    typer.echo(f"What was dropped, and why, is listed in {dropped_list(fix)}.")
    _require_clean_held_out(outcome.report, inputs.held_out)


def _parted(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Line stores, which are checked by themselves, and everything else."""
    from sprachbund.data.text.store import is_store

    return [path for path in paths if is_store(path)], [path for path in paths if not is_store(path)]


def _require_clean_held_out(report: Report, held_out: Sequence[Path]) -> None:
    if remaining := report.count_blamed(held_out):
        raise DataError(
            f"{remaining} problems of held-out sets stay",
            where=", ".join(map(str, held_out)),
            mend="Held-out sets change only where they are checked by themselves with --fix.",
        )


def _show(report: Report) -> None:
    for path, summary in report.summaries.items():
        typer.echo(f"{path}: {summary}")
    typer.echo(f"checked: {'; '.join(report.checked)}")
    for title, warnings in (("warnings", True), ("problems", False)):
        lines = list(report.lines(warnings=warnings))
        typer.echo("\n".join((f"{title}:", *lines)) if lines else f"{title}: none")


def _write_report(facts: dict[str, Any], path: Path | None) -> None:
    if path is None:
        return
    with write_atomically(path, "w") as handle:
        handle.write(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
