"""The picture of one clip: how near each state of its speech is to each state of its units."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sprachbund.evaluation.analyses.agreement import agreeing_frames, cosines
from sprachbund.evaluation.analyses.clips import PhonedClip
from sprachbund.evaluation.plots import COLOURS, plain_text, to_png
from sprachbund.shapes import Array, Float

PIXELS_A_STATE, LEAST, MOST = 0.055, 5.0, 16.0  # inches a state, and of the side of the picture
TITLE_LETTERS = 70
LETTERS_A_SIDE = 90  # names of phones that fit side by side
NO_PHONE = "-"

Run = tuple[int, int, str]


def draw_agreement(
    clip: PhonedClip, speech: Float[Array, "frame dim"], units: Float[Array, "unit dim"], *, title: str = ""
) -> bytes:
    """The cosines of all pairs of states as PNG, with the boundaries of phones and what each frame picked.

    Args:
        clip: its phones.
        speech: states of its frames at a layer.
        units: states of its units at that layer.
        title: shown above, cut where it is long.
    """
    near = cosines(speech, units)
    num_frames, num_units = near.shape
    width, height = (min(MOST, max(LEAST, PIXELS_A_STATE * number + 1.6)) for number in (num_frames, num_units))
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(near.T, aspect="auto", origin="lower", cmap="Greys", interpolation="nearest")
    picks = near.argmax(axis=1)
    agrees = agreeing_frames(clip, picks)
    frames, judged = np.arange(num_frames), np.array([phone is not None for phone in clip.frame_phones], dtype=bool)
    for chosen, colour, name in ((agrees, COLOURS[0], "the same phone"), (judged & ~agrees, COLOURS[1], "another")):
        axes.plot(frames[chosen], picks[chosen], "s", color=colour, markersize=2.5, label=name)
    _mark(axes, runs_of(clip.frame_phones), is_across=True)
    _mark(axes, runs_of(clip.unit_phones), is_across=False)
    axes.set_xlabel("phones of speech frames", fontsize=9)
    axes.set_ylabel("phones of units", fontsize=9)
    axes.set_title(
        plain_text(title if len(title) <= TITLE_LETTERS else f"{title[: TITLE_LETTERS - 1]}\u2026"), fontsize=10
    )
    figure.colorbar(picture, ax=axes, label="cosine", shrink=0.8)
    figure.legend(
        loc="outside lower center",
        ncols=2,
        fontsize=8,
        frameon=False,
        title="nearest unit of a frame",
        title_fontsize=8,
    )
    return to_png(figure)


def runs_of(phones: Sequence[str | None]) -> list[Run]:
    """Begin, end and name of each run of one phone."""
    runs: list[Run] = []
    for place, phone in enumerate(phones):
        name = NO_PHONE if phone is None else phone
        if runs and runs[-1][2] == name:
            runs[-1] = (runs[-1][0], place + 1, name)
        else:
            runs.append((place, place + 1, name))
    return runs


def _mark(axes: Axes, runs: Sequence[Run], *, is_across: bool) -> None:
    """Lines between runs, and their names along one side of the picture."""
    line = axes.axvline if is_across else axes.axhline
    for _, end, _ in runs[:-1]:
        line(end - 0.5, color=COLOURS[2], linewidth=0.5, alpha=0.7)
    size = 7 if len(runs) <= LETTERS_A_SIDE // 2 else 5
    shown = runs[:: -(-len(runs) // LETTERS_A_SIDE)]
    places, names = [(start + end - 1) / 2 for start, end, _ in shown], [plain_text(name) for _, _, name in shown]
    if is_across:
        axes.set_xticks(places, names, fontsize=size, rotation=90)
    else:
        axes.set_yticks(places, names, fontsize=size)
