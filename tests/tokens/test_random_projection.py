import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.lengths import frames_from_samples
from sprachbund.signal.features import mfcc_bands
from sprachbund.tokens.random_projection import RandomProjection

PROJECTION = RandomProjection(64, 16, 1)


@given(st.integers(1, 12_000))
@settings(deadline=None, max_examples=30)
def test_there_is_a_unit_for_each_frame_of_the_front_end(num_samples: int) -> None:
    units = PROJECTION(tiny.tone(num_samples))
    assert len(units) == frames_from_samples(num_samples)
    assert units.dtype == np.int64
    assert ((units >= 0) & (units < 64)).all()


def test_units_are_the_nearest_of_random_vectors() -> None:
    """Written out: normalise, stack, project, and take the largest cosine."""
    waveform = tiny.tone(16_000, 3)
    bands = mfcc_bands(waveform)
    units = PROJECTION(waveform)
    stacked = np.array([np.concatenate([bands[2 * frame], bands[2 * frame + 1]]) for frame in range(len(units))])
    normal = (stacked - stacked.mean(axis=0)) / stacked.std(axis=0)
    for frame, unit in zip(normal, units, strict=True):
        projected = frame @ PROJECTION.projection
        cosines = [projected @ code / np.linalg.norm(projected) / np.linalg.norm(code) for code in PROJECTION.codebook]
        assert cosines[unit] == pytest.approx(max(cosines), abs=1e-4)


def test_the_seed_decides_and_nothing_else() -> None:
    waveform = tiny.tone(40_000)
    again, other = RandomProjection(64, 16, 1), RandomProjection(64, 16, 2)
    assert np.array_equal(PROJECTION(waveform), again(waveform))
    assert not np.array_equal(PROJECTION(waveform), other(waveform))
    # Whatever the machine: numpy promises the stream.
    assert PROJECTION.projection[0, :3].tolist() == pytest.approx(FIRST, abs=1e-6)


FIRST = [-0.0516265, 0.1370795, -0.3110144]


def test_loudness_changes_no_unit() -> None:
    """Frames are normalised, so a factor on the samples, a constant in every band, goes away."""
    waveform = tiny.tone(32_000)
    found, soft = PROJECTION(waveform), PROJECTION(0.5 * waveform)
    assert (found == soft).mean() > 0.99


def test_many_codes_are_in_use() -> None:
    units = np.concatenate([PROJECTION(tiny.tone(32_000, seed)) for seed in range(8)])
    assert len(set(units.tolist())) > 32


def test_silence_has_units_too() -> None:
    units = PROJECTION(np.zeros(8_000, dtype=np.float32))
    assert set(units.tolist()) == {0}
    assert PROJECTION(np.zeros(0, dtype=np.float32)).shape == (0,)
