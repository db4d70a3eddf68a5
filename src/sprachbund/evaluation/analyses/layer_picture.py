"""The picture of one layer: states of speech and of units in the plane, by phone and by side."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sprachbund.evaluation.analyses.layer_map import Points
from sprachbund.evaluation.analyses.phone_classes import MANNERS, manner_of
from sprachbund.evaluation.plots import COLOURS, plain_text, to_png
from sprachbund.shapes import Array, Bool, Float

FEWEST_NAMED = 5  # points of a phone and side whose middle bears its name
SIDES = ("speech", "units")
MARKERS = ("o", "^")


def draw_layer(points: Points, places: Float[Array, "point 2"], *, title: str = "") -> bytes:
    """Two views of the same points as PNG: coloured by the manner of their phones, and by their side.

    Args:
        points: their phones and sides.
        places: in the plane.
        title: shown above.
    """
    figure = Figure(figsize=(12.5, 6.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    manners = np.array([manner_of(phone) for phone in points.phones])
    for manner, colour in zip(MANNERS, COLOURS, strict=True):
        for side, marker in zip((points.is_speech, ~points.is_speech), MARKERS, strict=True):
            # The legend has the manner once, and the view beside it tells what the markers are.
            name = manner if marker == MARKERS[0] else None
            _scatter(left, places[(manners == manner) & side], colour, marker, name)
    for name, colour, marker, side in zip(SIDES, COLOURS, MARKERS, (points.is_speech, ~points.is_speech), strict=False):
        _scatter(right, places[side], colour, marker, name)
    _name_phones(left, points, places)
    for axes, what in ((left, "by phone; names of SPEECH and of units"), (right, "by side")):
        axes.set_title(what, fontsize=9)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=3, fontsize=8, frameon=False)
    figure.suptitle(plain_text(title), fontsize=11)
    return to_png(figure)


def _scatter(axes: Axes, places: Float[Array, "_ 2"], colour: str, marker: str, name: str | None) -> None:
    axes.scatter(places[:, 0], places[:, 1], s=9, c=colour, marker=marker, alpha=0.65, linewidths=0, label=name)


def _name_phones(axes: Axes, points: Points, places: Float[Array, "point 2"]) -> None:
    """Each phone's name at the median of its points of speech in capitals, of units in small letters."""
    phones = np.array(points.phones)
    for side, is_small in ((points.is_speech, False), (~points.is_speech, True)):
        for phone in sorted(set(points.phones)):
            chosen: Bool[Array, " point"] = (phones == phone) & side
            if chosen.sum() < FEWEST_NAMED:
                continue
            x, y = np.median(places[chosen], axis=0)
            text = plain_text(phone.lower() if is_small else phone)
            axes.text(x, y, text, fontsize=7, ha="center", va="center", weight="bold")
