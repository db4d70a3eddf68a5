"""Cells and tables of the page."""

from collections.abc import Mapping, Sequence


def table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table with its head."""
    rows = [columns, ["---"] * len(columns), *lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def ratio_cell(ratio: Mapping[str, float]) -> str:
    """Of medians, and of single rounds."""
    return f"{ratio['of_medians']:.2f}x ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"


def verdict(holds: bool) -> str:
    """Of a target."""
    return "reached" if holds else "missed"
