"""The picture of a layer: every point is drawn in both views."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from sprachbund.evaluation.analyses.layer_map import Points
from sprachbund.evaluation.analyses.layer_picture import draw_layer
from sprachbund.evaluation.plots import COLOURS
from sprachbund.shapes import Array


def pixels(picture: Array, colour: str) -> int:
    """How many pixels have the hue of a colour, laid half over white."""
    wanted = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    shown = 1 - 0.65 * (1 - wanted)
    return int((np.abs(picture[:, :, :3] - shown).max(axis=2) < 0.02).sum())


def drawn(phones: tuple[str, ...], is_speech: list[bool]) -> Array:
    count = len(phones)
    made = Points(np.zeros((count, 2), np.float32), phones, np.array(is_speech), np.arange(count))
    angles = 2 * np.pi * np.arange(count) / count
    picture: Array = imread(io.BytesIO(draw_layer(made, np.stack([np.cos(angles), np.sin(angles)], axis=1), title="$")))
    return picture


def test_phones_and_sides_have_their_colours() -> None:
    count = 24
    sides = [place % 2 == 0 for place in range(count)]
    nasals = drawn(("M",) * count, sides)
    stops = drawn(("P",) * count, sides)
    half = nasals.shape[1] // 2
    purple, orange, blue = COLOURS[3], COLOURS[1], COLOURS[0]
    assert pixels(nasals[:, :half], purple) > 5 * pixels(stops[:, :half], purple)
    assert pixels(stops[:, :half], orange) > 5 * pixels(nasals[:, :half], orange)
    for picture in (nasals, stops):
        assert pixels(picture[:, half:], blue) > 100
        assert pixels(picture[:, half:], orange) > 100


@pytest.mark.parametrize("side", [True, False], ids=["speech", "units"])
def test_one_side_alone_is_drawn(side: bool) -> None:
    picture = drawn(("AA", "SIL", "ZH") * 4, [side] * 12)
    half = picture.shape[1] // 2
    assert (pixels(picture[:, half:], COLOURS[0]) > pixels(picture[:, half:], COLOURS[1])) is side
