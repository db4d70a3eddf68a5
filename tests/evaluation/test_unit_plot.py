import io
import struct
from pathlib import Path

import numpy as np
import pytest
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy
from matplotlib.image import imread

import tiny
from sprachbund.data.units import attach_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.evaluation.unit_plot import ShownUnits, plot_clip, plot_units
from sprachbund.shapes import Array

WAVEFORM = tiny.tone(16_000)
UNITS = ShownUnits(np.repeat(np.array([3, 17, 3, 99, 40]), 10), 0.02)
PHONES = [AlignmentItem("AA", 0.0, 0.5), AlignmentItem("SIL", 0.5, 0.3), AlignmentItem("B", 0.8, 0.005)]


def size_of(png: bytes) -> tuple[int, ...]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def pixels_of(png: bytes) -> Array:
    return imread(io.BytesIO(png), format="png")


def test_every_strip_makes_the_picture_higher() -> None:
    heights = [
        size_of(plot_units(WAVEFORM, *shown))[1]
        for shown in ((), (UNITS,), (UNITS, PHONES), (UNITS, PHONES, [AlignmentItem("ab", 0.0, 0.8)]))
    ]
    assert heights == sorted(set(heights))
    assert size_of(plot_units(WAVEFORM))[0] > 900


def test_longer_clips_make_wider_pictures() -> None:
    widths = [size_of(plot_units(tiny.tone(seconds * 16_000)))[0] for seconds in (1, 4, 8)]
    assert widths == sorted(set(widths))


@pytest.mark.parametrize(
    ("units", "phones"),
    [
        (ShownUnits(UNITS.units[::-1].copy(), 0.02), PHONES),
        (ShownUnits(UNITS.units, 0.01), PHONES),
        (UNITS, PHONES[:2]),
        (UNITS, [PHONES[0]._replace(symbol="B"), *PHONES[1:]]),
    ],
    ids=["other units", "other rate", "fewer phones", "another phone"],
)
def test_other_labels_make_another_picture(units: ShownUnits, phones: list[AlignmentItem]) -> None:
    first = plot_units(WAVEFORM, UNITS, PHONES, title="one")
    assert first == plot_units(WAVEFORM, UNITS, PHONES, title="one")
    assert first != plot_units(WAVEFORM, units, phones, title="one")


def test_equal_units_have_equal_colours() -> None:
    """The first and the third run are of one unit, the second of another."""
    shown = pixels_of(plot_units(tiny.tone(16_000), ShownUnits(np.repeat(np.array([5, 6, 5]), [16, 18, 16]), 0.02)))
    colours = np.unique((255 * shown[-110:-70, :, :3]).round().astype(int).reshape(-1, 3), axis=0, return_counts=True)
    saturated = [tuple(c) for c, n in zip(*colours, strict=True) if n > 2000 and np.ptp(c) > 40]
    assert len(saturated) == 2


def test_a_cut_is_drawn_with_what_it_has(tmp_path: Path) -> None:
    model = tiny.unit_model()
    cut = attach_units(tiny.make_cuts(tmp_path, 1), model, tmp_path / "units")[0]
    aligned = fastcopy(cut, supervisions=[fastcopy(cut.supervisions[0], alignment={"phone": PHONES[:1]})])
    bare = fastcopy(cut, custom=None)
    assert len({plot_clip(bare), plot_clip(cut), plot_clip(aligned), plot_clip(aligned.truncate(duration=0.2))}) == 4


def test_signs_of_formulas_and_long_titles_are_drawn_as_they_are() -> None:
    assert size_of(plot_units(WAVEFORM, title="$x^{$ " * 200))[0] == size_of(plot_units(WAVEFORM))[0]


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    cut = attach_units(tiny.make_cuts(tmp_path, samples=[61 * 16_000]), tiny.unit_model(), tmp_path / "units")[0]
    with pytest.raises(DataError, match="too long for one picture"):
        plot_clip(cut)
    part = cut.truncate(duration=0.5)
    with pytest.raises(VocabularyError, match="no units"):
        plot_clip(fastcopy(part, custom={**part.custom, "units": "none"}))
    next((tmp_path / "units").rglob("*.npy")).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        plot_clip(part)
