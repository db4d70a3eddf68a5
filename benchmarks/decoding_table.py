"""The results of decoding as a part of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import ratio_cell, table, verdict

_HEAD = """
## Decoding

Measured on {date}, with a load of {load} before. Random noise, random weights, and as many decoder steps on both
sides: the transcripts have a fixed number of tokens, the end among them. Encoding is part of it.

The peer is `generate` with both of its caches, in inference mode, not compiled; it may not end earlier, and the end is
forced at the last step. Greedy transcripts are the same, or nothing is timed. *Agreement*: hypotheses of the peer's
float32 beams that are in ours too. bf16 is as above.

"""
_LOOP = """
Joint search, CTC weight 0.3, from encoder states on; few tokens, because the loop is slow. The loop takes one utterance
after the other in float32: our decoder with its cache for all hypotheses of the utterance, CTC prefix scores (Watanabe
et al. 2017) in NumPy, hypothesis by hypothesis and frame by frame, for all tokens at once. In float32 the transcripts
are the same, or nothing is timed. *Agreement*: utterances whose best transcript is the loop's.

"""
_STEPS = """
One step of the decoder, without the search. It reads all its weights, the keys and values of each utterance's memory
once, and those of the past. Reading, measured as a matrix times a vector: {read:.1f} GB/s. Above a few rows
arithmetic costs more than reading.

"""


def decoding_section(part: Mapping[str, Any] | None) -> str:
    """Markdown of what `python -m benchmarks` measured of decoding."""
    if part is None:
        return "\n## Decoding\n\nNot measured.\n"
    head = _HEAD.format(date=part["date"], load=part["load_before"])
    steps = _STEPS.format(read=part["read"] / 1e9) + _steps(part["steps"])
    return head + _rows(part["generate"]) + _LOOP + _rows(part["loop"]) + steps


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0]["peer"])
    columns = [
        "task", "ours in", "ours, ms", *(f"peer {name}, ms" for name in names),
        *(f"against peer {name}" for name in names), f"target against {names[0]}", "agreement",
    ]  # fmt: skip
    lines = [
        [
            row["task"],
            row["precision"],
            f"{1e3 * row['ours']['median']:.0f}",
            *(f"{1e3 * row['peer'][name]['median']:.0f}" for name in names),
            *(ratio_cell(row["ratios"][name]) for name in names),
            f"{row['target']:.1f}x, {verdict(row['ratios'][names[0]]['of_medians'] >= row['target'])}",
            row["agreement"],
        ]
        for row in rows
    ]
    return table(columns, lines)


def _steps(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = ["utterances", "beam", "in", "step, ms", "weights, MB", "keys and values, MB", "GB/s", "share of reading"]
    lines = [
        [
            str(row["utterances"]),
            str(row["beam"]),
            row["precision"],
            f"{1e3 * row['seconds']:.1f}",
            f"{row['weights'] / 1e6:.0f}",
            f"{row['states'] / 1e6:.0f}",
            f"{row['rate'] / 1e9:.1f}",
            f"{row['share_of_reading']:.0%}",
        ]
        for row in rows
    ]
    return table(columns, lines)
