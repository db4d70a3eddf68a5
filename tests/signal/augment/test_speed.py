import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.signal.audio import resample
from sprachbund.signal.augment.speed import change_speed


@settings(deadline=None, max_examples=60)
@given(
    num_samples=st.integers(1, 5000),
    factor=st.one_of(st.floats(0.5, 2.0), st.sampled_from([0.9, 1.0, 1.1])),
    seed=st.integers(0, 99),
)
def test_lengths_are_those_of_the_factor(num_samples: int, factor: float, seed: int) -> None:
    wave = np.random.default_rng(seed).uniform(-1, 1, num_samples).astype(np.float32)
    changed = change_speed(wave, factor)
    assert changed.shape == (round(num_samples / factor),)
    assert changed.dtype == np.float32
    assert np.isfinite(changed).all()


def test_a_factor_of_one_gives_the_samples_themselves() -> None:
    wave = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert change_speed(wave, 1.0) is wave


@pytest.mark.parametrize("factor", [0.8, 0.9, 1.1, 1.5])
def test_pitch_rises_with_speed(factor: float) -> None:
    wave = np.sin(2 * np.pi * 1000 * np.arange(32_000) / 16_000).astype(np.float32)
    changed = change_speed(wave, factor)
    spectrum = np.abs(np.fft.rfft(changed * np.hanning(len(changed))))
    assert spectrum.argmax() * 16_000 / len(changed) == pytest.approx(1000 * factor, abs=1)


def test_there_and_back_again() -> None:
    wave = resample(np.random.default_rng(0).standard_normal(4000).astype(np.float32), 4000, 16_000)
    again = change_speed(change_speed(wave, 1.25), 0.8)
    assert len(again) == len(wave)
    assert np.abs(again - wave)[300:-300].max() < 1e-3
