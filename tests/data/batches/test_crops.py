from pathlib import Path

import numpy as np
import pytest
from lhotse.cut import Cut
from numpy.random import RandomState

import tiny
from sprachbund.data.batches.crops import PlainCrops, ProjectedCrops
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.lengths import frames_from_samples
from sprachbund.tokens.random_projection import RandomProjection


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    folder: Path = tmp_path_factory.mktemp("crops")
    return next(iter(tiny.make_cuts(folder, samples=(12_345,))))


def test_a_crop_is_a_part_of_its_clip(cut: Cut) -> None:
    whole, starts = read_waveform(cut), set()
    for seed in range(30):
        crop = PlainCrops(max_samples=12_340)(cut, RandomState(seed))
        [start] = [place for place in range(6) if np.array_equal(whole[place : place + 12_340], crop)]
        starts.add(start)
    assert starts == {0, 1, 2, 3, 4, 5}  # any sample, both ends included


def test_a_short_clip_is_taken_whole(cut: Cut) -> None:
    assert np.array_equal(PlainCrops(max_samples=20_000)(cut, RandomState(0)), read_waveform(cut))


@pytest.mark.parametrize("max_samples", [4_000, 20_000])
def test_units_are_those_of_the_crop(cut: Cut, max_samples: int) -> None:
    projection = RandomProjection(32, 8, 1)
    waveform, units = ProjectedCrops(max_samples=max_samples, projection=projection)(cut, RandomState(4))
    assert np.array_equal(waveform, PlainCrops(max_samples=max_samples)(cut, RandomState(4)))
    assert np.array_equal(units, projection(waveform))
    assert len(units) == frames_from_samples(len(waveform))
