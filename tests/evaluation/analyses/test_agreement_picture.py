"""The picture of agreement: what is drawn where."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

import analysed
from sprachbund.evaluation.analyses.agreement_picture import draw_agreement, runs_of
from sprachbund.evaluation.plots import COLOURS
from sprachbund.shapes import Array


def pixels(png: bytes, colour: str) -> int:
    """How many pixels have a colour, but for rounding."""
    picture = imread(io.BytesIO(png))[:, :, :3]
    wanted = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return int((np.abs(picture - wanted).max(axis=2) < 0.02).sum())


def states(phones: list[str | None]) -> Array:
    return analysed.one_hot(tuple(phones))


@settings(max_examples=40, deadline=None)
@given(st.lists(analysed.phones, max_size=20))
def test_runs_are_all_of_it_and_neighbours_differ(phones: list[str | None]) -> None:
    runs = runs_of(phones)
    assert [name for start, end, name in runs for _ in range(start, end)] == [phone or "-" for phone in phones]
    assert all(one[2] != other[2] and one[1] == other[0] for one, other in pairwise(runs))


def test_frames_that_agree_have_another_colour() -> None:
    phones: list[str | None] = ["AA"] * 20 + ["S"] * 20
    clip = analysed.make_clip(phones, phones)
    good = draw_agreement(clip, states(phones), states(phones))
    bad = draw_agreement(clip, states(phones), states(phones)[::-1].copy())
    same, other = COLOURS[:2]
    # The legend has one mark of each.
    assert pixels(good, same) > 10 * pixels(good, other) > 0
    assert pixels(bad, other) > 10 * pixels(bad, same) > 0


def test_frames_without_a_phone_have_no_mark() -> None:
    phones: list[str | None] = [None] * 30
    clip = analysed.make_clip(phones, ["AA"] * 30)
    legend = max(pixels(draw_agreement(clip, states(phones), states(phones)), colour) for colour in COLOURS[:2])
    marked = analysed.make_clip(["AA"] * 30, ["AA"] * 30)
    assert pixels(draw_agreement(marked, states(phones), states(phones)), COLOURS[0]) > 3 * legend


@pytest.mark.parametrize(("num_frames", "num_units"), [(1, 1), (400, 2), (3, 300)], ids=["one", "long", "high"])
def test_any_size_is_drawn(num_frames: int, num_units: int) -> None:
    names = ("AA", "S", "B")
    clip = analysed.make_clip(
        [names[place % 3] for place in range(num_frames)], [names[place % 3] for place in range(num_units)]
    )
    png = draw_agreement(clip, states(list(clip.frame_phones)), states(list(clip.unit_phones)), title="$" * 200)
    height, width, _ = imread(io.BytesIO(png)).shape
    assert 500 < height < 2200
    assert 500 < width < 2200
