"""The results as a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.decoding_table import decoding_section
from benchmarks.markdown import ratio_cell, table, verdict

_HEAD = """# Benchmarks

<!-- run: no (a quarter of an hour on an idle machine; a test runs it on a tiny model) -->

Made by `make bench` from `benchmarks/results/{name}.json`; edit neither by hand.

{machine}. {threads} threads. torch {torch}, transformers {transformers}, sprachbund {sprachbund}.
Measured on {date}, with a load of {load} before.

Ceilings, measured in the same run: {ceilings}.

## Against `transformers`' SpeechT5, {size}

Same random weights on both sides, and the same outputs, checked before anything is timed (*difference*: largest
difference from the peer in float32, over the largest value). Both sides run in one process by turns, one run each a
round, with the same number of threads and the same settings of malloc (`training/memory.py`).
The peer has one implementation of its attention with relative positions, and that is used; it is given no mask
where nothing is padded, no cache in training, and no masks of its own to draw. Dropout is the same, no layer is
dropped; both losses are the mean cross entropy of the decoder, both optimizers are torch's fused AdamW. bf16 is
automatic mixed precision with float32 weights on both sides. *Share*: of the ceiling for matrix products of the same
precision, if each side did the work that is counted on the peer.

Times are medians in milliseconds; ratios are those of medians, with the lowest and highest of single rounds.

"""


def page(results: Mapping[str, Any], name: str) -> str:
    """Markdown of the results in ``NAME.json``."""
    machine, packages = results["machine"], results["packages"]
    head = _HEAD.format(
        name=name,
        machine=f"{machine['processor']}, {machine['cores']} cores",
        threads=machine["threads"],
        torch=machine["torch"],
        transformers=packages["transformers"],
        sprachbund=packages["sprachbund"],
        date=results["date"],
        load=machine["load_before"],
        ceilings=_ceilings(results["ceilings"]),
        size=results["size"],
    )
    return head + _rows(results["rows"]) + _loader(results["loader"]) + decoding_section(results.get("decoding"))


def _ceilings(ceilings: Mapping[str, Any]) -> str:
    parts = [f"matrix products {ceilings['float32'] / 1e9:.0f} GFLOP/s in float32"]
    if ceilings["bf16"] is not None:
        parts.append(f"{ceilings['bf16'] / 1e9:.0f} GFLOP/s in bf16")
    return ", ".join([*parts, f"copying {ceilings['copy'] / 1e9:.1f} GB/s (read and written)"])


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    kinds = list(rows[0]["peer"])
    columns = [
        "task", "ours in", "ours, ms (share)", *(f"peer {kind}, ms (share)" for kind in kinds),
        *(f"against peer {kind}" for kind in kinds), "target against float32", "difference",
    ]  # fmt: skip
    lines = [
        [
            row["task"],
            row["precision"],
            _time(row["ours"]),
            *(_time(row["peer"][kind]) for kind in kinds),
            *(ratio_cell(row["ratios"][kind]) for kind in kinds),
            f"{row['target']:.1f}x, {verdict(row['ratios']['float32']['of_medians'] >= row['target'])}",
            f"{row['difference']:.1e}",
        ]
        for row in rows
    ]
    return table(columns, lines)


def _loader(row: Mapping[str, Any] | None) -> str:
    head = "\n## The loader\n\n"
    if row is None:
        return f"{head}Not measured: the corpus is not there.\n"
    columns = ["task", "workers", "step with loader, ms", "step from memory, ms", "waiting", "slower", "target"]
    line = [
        row["task"],
        str(row["workers"]),
        f"{1e3 * row['loaded']['median']:.0f}",
        f"{1e3 * row['cached']['median']:.0f}",
        f"{row['waiting']:.1%}",
        f"{row['slower']:.1%}",
        f"waiting under {row['target']:.0%}, {verdict(row['waiting'] < row['target'])}",
    ]
    told = (
        "Waiting: share of all time that steps wait for their data. Slower: how much longer all steps take than with "
        "batches from memory, which adds what the workers take from the arithmetic where they share its cores.\n\n"
    )
    return head + told + table(columns, [line])


def _time(one: Mapping[str, Any]) -> str:
    share = one["share_of_ceiling"]
    told = "" if share is None else f" ({share:.0%})"
    return f"{1e3 * one['median']:.0f}{told}"
