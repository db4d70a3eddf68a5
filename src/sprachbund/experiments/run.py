"""Run a plan: every stage in order, each timed, then the report."""

import json
import os
import platform
import time
from pathlib import Path

from rich.console import Console

from sprachbund.evaluation.demo_report import compose_report
from sprachbund.evaluation.report import write_report
from sprachbund.experiments.findings import collect_findings
from sprachbund.experiments.places import Places
from sprachbund.experiments.plan import Plan
from sprachbund.experiments.stages import STAGES, Experiment
from sprachbund.files import write_atomically

SECONDS = "seconds.json"


def run_plan(plan: Plan, out: Path, corpora: Path, console: Console) -> Path:
    """Go through the plan and return the path of the report; what an earlier call finished is not done again.

    Raises:
        SprachbundError: a stage cannot be done.
    """
    places = Places(out, corpora)
    out.mkdir(parents=True, exist_ok=True)
    experiment = Experiment(plan, places, console)
    for number, (name, stage) in enumerate(STAGES, 1):
        console.print(f"[{number}/{len(STAGES)}] {name}", highlight=False, markup=False)
        started = time.monotonic()
        try:
            stage(experiment)
        finally:
            # An interrupted stage has cost its time too.
            _add_seconds(out / SECONDS, name, time.monotonic() - started)
    findings = collect_findings(plan, places, _read_seconds(out / SECONDS), describe_hardware())
    write_report(compose_report(findings), places.report)
    console.print(f"report: {places.report}", highlight=False)
    return places.report


def describe_hardware() -> str:
    """One line about this machine."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{os.cpu_count()} CPU cores ({platform.machine()}), {pages * size / 2**30:.0f} GiB of memory, no GPU used"


def _read_seconds(path: Path) -> dict[str, float]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _add_seconds(path: Path, stage: str, seconds: float) -> None:
    total = _read_seconds(path)
    total[stage] = total.get(stage, 0.0) + seconds
    with write_atomically(path, "w") as handle:
        handle.write(json.dumps(total, indent=1) + "\n")
