"""Pictures for reports: training curves and attention. Every function returns PNG bytes.

The figures are made without pyplot, so that no window system and no state of the process is touched.
"""

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float

# Told apart with every common kind of colour vision (after Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_NOT_FIGURES = ("step", "epoch", "split", "time", "seconds")
_DOTS_PER_INCH = 120


@dataclass(frozen=True)
class Curve:
    """One figure of one run on one split."""

    run: str
    split: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a run log, one JSON object a line. A last line cut off by the end of the run is left out.

    Raises:
        DataError: the file is missing, or a line before the last is not a JSON object.
    """
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the run log cannot be read", where=path, given=error, mend="Name a metrics.jsonl.") from error
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif number < len(lines):  # a complete line ends with a line break, so something follows it
            raise DataError(
                "a line is no JSON object", where=f"{path}, line {number}", given=line[:60], mend="Mend or remove it."
            )
    return records


def collect_curves(runs: Mapping[str, Path]) -> dict[str, list[Curve]]:
    """The curves of every figure in the logs of the named runs, in the order of their first appearance."""
    points: dict[str, dict[tuple[str, str], list[tuple[int, float]]]] = {}
    for run, path in runs.items():
        for record in read_metrics(path):
            step, split = record.get("step"), str(record.get("split", "train"))
            if not isinstance(step, int):
                continue
            for figure, value in record.items():
                if figure not in _NOT_FIGURES and _is_number(value):
                    points.setdefault(figure, {}).setdefault((run, split), []).append((step, float(value)))
    return {figure: [_curve(key, found) for key, found in curves.items()] for figure, curves in points.items()}


def plot_training_curves(runs: Mapping[str, Path], *, figures: Sequence[str] | None = None) -> bytes:
    """Training curves of one or several runs, a panel a figure.

    Training is a thin line, validation a line with dots; runs are told apart by colour.

    Args:
        runs: the `metrics.jsonl` of each run, by the name that the legend shows.
        figures: which figures, in this order; all that the logs hold where this is None. Those that no log holds are
            left out.

    Raises:
        DataError: a log cannot be read, or there is nothing to draw.
    """
    curves = collect_curves(runs)
    shown = [name for name in (curves if figures is None else figures) if name in curves]
    if not shown:
        raise DataError(
            "the run logs hold nothing to draw",
            where=", ".join(str(path) for path in runs.values()),
            given=", ".join(figures) if figures is not None else None,
            mend=f"Ask for one of: {', '.join(curves) or 'nothing is there yet'}.",
        )
    columns = min(len(shown), 3)
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(max(3.8 * columns, 5.0), 2.7 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    colours = {run: COLOURS[place % len(COLOURS)] for place, run in enumerate(runs)}
    for panel, name in zip(panels, shown, strict=False):
        _draw_panel(panel, name, curves[name], colours)
    for panel in panels[len(shown) :]:
        panel.set_axis_off()
    # Room between the rows, else a panel's title touches the axis label above it.
    figure.set_layout_engine("constrained", h_pad=0.12)
    handles = {handle.get_label(): handle for panel in panels for handle in panel.get_lines()}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2 * min(columns, 2), frameon=False
    )
    return to_png(figure)


def plot_attention(
    weights: Float[Array, "token frame"], tokens: Sequence[str], *, frame_seconds: float = 0.02, title: str = ""
) -> bytes:
    """The attention of one utterance: a row a token, a column a frame, dark where the decoder looked.

    Args:
        weights: attention weights, one row for each token.
        tokens: what each row stands for.
        frame_seconds: time from frame to frame.
        title: shown above.

    Raises:
        DataError: tokens and rows differ in number, or there is nothing to draw.
    """
    if weights.size == 0 or len(tokens) != weights.shape[0]:
        raise DataError(
            "the attention does not fit its tokens",
            given=f"{weights.shape[0]} rows of {weights.shape[1]} frames, {len(tokens)} tokens",
            mend="Give one label for each row, and at least one row and one frame.",
        )
    height = min(max(0.17 * len(tokens) + 1.2, 2.5), 12.0)
    figure = Figure(figsize=(8.0, height), layout="constrained")
    axes = figure.subplots()
    duration = weights.shape[1] * frame_seconds
    # Half a token above the first and below the last, so that labels stand at the middle of their rows.
    extent = (0.0, duration, len(tokens) - 0.5, -0.5)
    picture = axes.imshow(weights, aspect="auto", cmap="magma_r", extent=extent, interpolation="nearest", vmin=0.0)
    axes.set_yticks(range(len(tokens)), [_visible(token) for token in tokens], fontsize=8, family="monospace")
    axes.set_xlabel("seconds")
    axes.set_title(plain_text(title), fontsize=10)
    figure.colorbar(picture, ax=axes, label="attention", shrink=0.9)
    return to_png(figure)


def _draw_panel(panel: Axes, name: str, curves: Sequence[Curve], colours: Mapping[str, str]) -> None:
    """One figure over the steps, all runs and splits overlaid."""
    for curve in curves:
        colour = colours[curve.run]
        is_training = curve.split == "train"
        panel.plot(
            curve.steps,
            curve.values,
            color=colour,
            linewidth=0.9 if is_training else 1.8,
            alpha=0.55 if is_training else 1.0,
            marker="o" if not is_training or len(curve.steps) == 1 else None,
            markersize=3,
            label=plain_text(f"{curve.run}, {curve.split}"),
        )
    panel.set_title(plain_text(name.replace("_", " ")), fontsize=10)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    panel.set_xlabel("step", fontsize=8)
    panel.tick_params(labelsize=8)
    panel.grid(alpha=0.25)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _curve(key: tuple[str, str], points: Sequence[tuple[int, float]]) -> Curve:
    ordered = sorted(points, key=lambda point: point[0])
    return Curve(key[0], key[1], tuple(step for step, _ in ordered), tuple(value for _, value in ordered))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _visible(token: str) -> str:
    """A label that can be seen: spaces drawn, nothing read as a formula."""
    return plain_text(token.replace(" ", "\u2423"))


def plain_text(text: str) -> str:
    """The text with the sign that would begin a formula made harmless."""
    return text.replace("$", r"\$")


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes, the same for the same figure: no date and no version inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()
