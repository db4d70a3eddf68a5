"""What units and phones stand for: a clip's waveform, spectrogram, units, phones and words on one time axis."""

from dataclasses import dataclass

import numpy as np
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure

from sprachbund.data.phones import PHONE, WORD, items_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.data.units import FINGERPRINT_FIELD, UNITS_FIELD, load_units
from sprachbund.errors import DataError
from sprachbund.evaluation.plots import COLOURS, plain_text, to_png
from sprachbund.shapes import Array, Float, Integer
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.features import MEL_HOP, log_mel
from sprachbund.tokens.phones import SILENCE

INCHES_A_SECOND = 4.0
NARROWEST, WIDEST = 9.0, 40.0  # inches
LONGEST = 60.0  # seconds in one picture
TEXT_WIDTH = 0.1  # inches that a line of small text is high
DARKEST = 4.0  # powers of ten below the loudest: digital silence would take all the contrast


@dataclass(frozen=True)
class ShownUnits:
    """Units and how long each of them is."""

    units: Integer[Array, " label"]
    seconds: float  # a label


def plot_clip(cut: Cut) -> bytes:
    """A PNG of a cut, or of a part of one; units, phones and words are drawn where the cut has them.

    Raises:
        DataError: the cut is empty or longer than a minute, or stored units cannot be read.
        AudioError: the recording cannot be read.
    """
    if cut.duration > LONGEST:
        mend = "Draw a part of it: --start and --duration."
        raise DataError("the clip is too long for one picture", given=f"{cut.duration:.0f} s", mend=mend)
    waveform = read_waveform(cut)
    if not len(waveform):
        raise DataError("there is nothing to draw", where=f"cut {cut.id}", given="no sample")
    text = " ".join(said.text for said in cut.supervisions if said.text)
    title = f"{cut.id}: {text}" if text else cut.id
    return plot_units(waveform, _units_of(cut), items_of(cut, PHONE), items_of(cut, WORD), title=title)


def plot_units(
    waveform: Float[Array, " sample"],
    units: ShownUnits | None = None,
    phones: list[AlignmentItem] | None = None,
    words: list[AlignmentItem] | None = None,
    *,
    title: str = "",
) -> bytes:
    """Waveform, log-mel spectrogram and a strip for each of units, phones and words that is given, as PNG.

    Args:
        waveform: 16 kHz.
        units: equal ones have equal colours, and the number of each run is written where it fits.
        phones: in time.
        words: in time.
        title: shown above, cut where it is longer than the picture.
    """
    duration = len(waveform) / SAMPLING_RATE
    width = min(WIDEST, max(NARROWEST, INCHES_A_SECOND * duration + 1.2))
    strips = [kind for kind, shown in (("unit", units), ("phone", phones), ("word", words)) if shown]
    heights = {"waveform": 1.3, "mel band": 2.2, **{kind: 0.45 if kind == "unit" else 0.3 for kind in strips}}
    figure = Figure(figsize=(width, sum(heights.values()) + 0.8), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=list(heights.values()))
    axes = dict(zip(heights, rows, strict=True))
    letters = int(12 * width)
    rows[0].set_title(plain_text(title if len(title) <= letters else f"{title[: letters - 1]}\u2026"), fontsize=10)
    axes["waveform"].plot(np.arange(len(waveform)) / SAMPLING_RATE, waveform, linewidth=0.4, color=COLOURS[0])
    _draw_spectrogram(axes["mel band"], log_mel(waveform), duration)
    seconds_a_line = TEXT_WIDTH * duration / (width - 1.2)
    if units:
        _draw_units(axes["unit"], units, seconds_a_line)
    for kind, items in (("phone", phones), ("word", words)):
        if items:
            _draw_items(axes[kind], items, seconds_a_line)
    for kind, row in axes.items():
        row.set_ylabel(
            kind, fontsize=8, rotation=0 if kind in strips else 90, ha="right" if kind in strips else "center"
        )
        row.tick_params(labelsize=7)
    rows[-1].set_xlabel("seconds", fontsize=8)
    rows[-1].set_xlim(0.0, duration)
    return to_png(figure)


def _units_of(cut: Cut) -> ShownUnits | None:
    custom = cut.custom or {}
    if UNITS_FIELD not in custom:
        return None
    units = load_units(cut, str(custom.get(FINGERPRINT_FIELD)))
    return ShownUnits(units, custom[UNITS_FIELD].frame_shift) if len(units) else None


def _draw_spectrogram(axes: Axes, mel: Float[Array, "frame mel"], duration: float) -> None:
    step = MEL_HOP / SAMPLING_RATE
    # A frame is centred on its time.
    extent = (-step / 2, (len(mel) - 0.5) * step, 0.0, float(mel.shape[1]))
    darkest = float(mel.max()) - DARKEST
    axes.imshow(
        mel.T, origin="lower", aspect="auto", cmap="magma", vmin=darkest, extent=extent, interpolation="nearest"
    )
    axes.set_xlim(0.0, duration)


def _draw_units(axes: Axes, shown: ShownUnits, seconds_a_line: float) -> None:
    """A coloured strip, one cell a label; the number of a run is written upright where the run is wide enough."""
    units, seconds = shown.units, shown.seconds
    # Neighbouring ids mean nothing, so ids far apart in the colour circle stand next to each other.
    hues = (units.astype(np.int64) * 0.618034) % 1.0
    colours = hsv_to_rgb(np.stack([hues, np.full(len(hues), 0.45), np.full(len(hues), 0.95)], axis=1))
    axes.imshow(colours[None], aspect="auto", extent=(0.0, len(units) * seconds, 0.0, 1.0), interpolation="nearest")
    starts = np.flatnonzero(np.concatenate([[True], units[1:] != units[:-1]]))
    ends = np.append(starts[1:], len(units))
    for start, end in zip((starts * seconds).tolist(), (ends * seconds).tolist(), strict=True):
        if end - start >= seconds_a_line:
            number = str(units[round(start / seconds)])
            axes.text((start + end) / 2, 0.5, number, ha="center", va="center", fontsize=6, rotation=90)
    axes.set_yticks([])


def _draw_items(axes: Axes, items: list[AlignmentItem], seconds_a_line: float) -> None:
    """Symbols between the lines of their boundaries; silence is grey."""
    for item in items:
        is_silent = item.symbol == SILENCE
        axes.axvspan(item.start, item.end, facecolor="0.9" if is_silent else "white", edgecolor="0.4", linewidth=0.5)
        # A letter is about 0.7 as wide as a line is high.
        fits = len(item.symbol) * 0.7 * seconds_a_line <= item.duration
        if fits or item.duration >= seconds_a_line:
            middle, turn = item.start + item.duration / 2, 0 if fits else 90
            text = plain_text(item.symbol)
            axes.text(middle, 0.5, text, ha="center", va="center", fontsize=7, rotation=turn, clip_on=True)
    axes.set_yticks([])
    axes.set_ylim(0.0, 1.0)
