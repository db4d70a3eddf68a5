"""`python -m benchmarks`: measure all rows, write them as JSON, and the page of them."""

import argparse
import datetime
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.decoding import Work, generate_rows, loop_rows
from benchmarks.loader import loader_row
from benchmarks.machine import Ceilings, describe, has_bf16, measure_ceilings
from benchmarks.peer import SIZES, build_both
from benchmarks.rows import Row, encoder_rows, training_rows
from benchmarks.steps import step_rows
from benchmarks.table import page
from sprachbund.files import write_atomically
from sprachbund.nn.precision import Precision
from sprachbund.training.memory import keep_freed_memory

ROOT = Path(__file__).parents[1]
# Seconds of one recording -> how many times faster than the peer in float32 the encoder must be.
ENCODER: dict[float, dict[Precision, float]] = {
    10.0: {"float32": 1.1, "bf16": 2.2},
    30.0: {"float32": 1.7, "bf16": 3.0},
}
TRAINING: dict[Precision, float] = {"float32": 1.2, "bf16": 2.0}
BATCH = (4, 5.0, 70)  # recordings, seconds and tokens of each
# Recordings -> how many times faster than the peer in float32 a beam of 5 with 60 tokens must be.
BEAM: dict[int, dict[Precision, float]] = {1: {"float32": 2.0, "bf16": 3.0}, 16: {"float32": 4.0, "bf16": 4.0}}
SECONDS, STEPS = 10.0, 60
LOOP_STEPS = 12  # the loop takes a second a step; later, random weights have beams whose edges rounding decides


def main(arguments: list[str] | None = None) -> None:
    """Measure, write, and say where."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    # For both sides: a process that maps every buffer anew would measure that.
    keep_freed_memory()
    facts = describe()
    ceilings = measure_ceilings(size=options.ceiling_size)
    if options.only_decoding:
        results = json.loads(options.results.read_text("utf-8"))
    else:
        results = _first_results(options, facts, ceilings)
    results["decoding"] = _decoding(options, facts, ceilings)
    _write(options.results, json.dumps(results, indent=1) + "\n")
    told = page(results, options.results.stem)
    _write(options.page, told)
    print(told)


def _first_results(options: argparse.Namespace, facts: dict[str, object], ceilings: Ceilings) -> dict[str, Any]:
    """Everything but decoding."""
    # Before large models lie in this process, whose pages forked workers would share and copy.
    loader = None
    if options.manifest.is_file():
        loader = loader_row(options.manifest, steps=options.loader_steps, overrides=tuple(options.override))
    rows = _model_rows(options)
    return {
        "date": _today(),
        "size": options.size,
        "machine": facts,
        "packages": {name: version(name) for name in ("sprachbund", "transformers")},
        "ceilings": vars(ceilings),
        "rows": [row.to_json(ceilings) for row in rows],
        "loader": None if loader is None else loader.to_json(),
    }


def _decoding(options: argparse.Namespace, facts: dict[str, object], ceilings: Ceilings) -> dict[str, Any]:
    peer, ours = build_both(SIZES[options.size])
    seconds, steps = SECONDS * options.shorten, max(round(STEPS * options.shorten), 4)
    generated = []
    for number, targets in BEAM.items():
        # One run of the peer on all recordings takes most of a minute.
        rounds = max(options.rounds // 2 if number == 1 else options.rounds // 6, 1)
        chosen = {precision: targets[precision] for precision in _precisions()}
        generated += generate_rows(peer, ours, Work(number, seconds, steps, beam=5), chosen, rounds)
    del peer
    joint = Work(16, seconds, min(steps, LOOP_STEPS), beam=10)
    loop = loop_rows(ours, joint, _precisions(), max(options.rounds // 6, 1))
    frames = max(round(499 * options.shorten), 1)
    return {
        "date": _today(),
        "load_before": facts["load_before"],
        "read": ceilings.read,
        "generate": [row.to_json() for row in generated],
        "loop": [row.to_json() for row in loop],
        "steps": [row.to_json(ceilings) for row in step_rows(ours, _precisions(), steps, frames)],
    }


def _precisions() -> list[Precision]:
    return ["float32", "bf16"] if has_bf16() else ["float32"]


def _today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _model_rows(options: argparse.Namespace) -> list[Row]:
    peer, ours = build_both(SIZES[options.size])
    precisions = _precisions()
    rows: list[Row] = []
    for seconds, targets in ENCODER.items():
        # Long rows take long, and their rounds differ less.
        rounds = max(options.rounds if seconds < 20 else options.rounds // 2, 1)
        chosen = {precision: targets[precision] for precision in precisions}
        rows += encoder_rows(peer, ours, seconds * options.shorten, chosen, rounds)
    number, seconds, tokens = BATCH
    batch = (number, seconds * options.shorten, tokens)
    chosen = {precision: TRAINING[precision] for precision in precisions}
    return rows + training_rows(peer, ours, batch, chosen, max(options.rounds // 2, 1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="base", help="of the model")
    parser.add_argument("--rounds", type=int, default=12, help="of the quickest row; others take half as many")
    parser.add_argument("--only-decoding", action="store_true", help="and keep the other rows of the results file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shorten", type=float, default=1.0, help="factor on the length of all recordings")
    parser.add_argument("--ceiling-size", type=int, default=2048, help="of the matrices that ceilings are measured on")
    parser.add_argument("--loader-steps", type=int, default=30)
    parser.add_argument("--manifest", type=Path, default=ROOT / "corpora" / "steel-sky" / "train.jsonl.gz")
    parser.add_argument("--override", action="append", default=[], help="of the recipe that the loader is timed with")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results" / "speecht5.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    return parser


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_atomically(path, "w") as handle:
        handle.write(text)


if __name__ == "__main__":
    main()
