from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.random import RandomState

from sprachbund.shapes import Array
from sprachbund.signal.augment.noise import (
    NoiseKind,
    add_noise,
    babble,
    change_volume,
    fit_length,
    power,
    synthetic_noise,
    unit_power,
    within_full_scale,
)

MODEST = settings(deadline=None, max_examples=60)
SEEDS = st.integers(0, 2**32 - 1)
# Any float32 there is, from the least above 0 on, silence and loudness beyond full scale included.
WAVES = arrays(np.float32, st.integers(1, 300), elements=st.floats(-2, 2, width=32, allow_subnormal=True))


def measured_ratio(mixed: Array, signal: Array, noise: Array) -> float:
    """Decibels between the parts of a mixture that are the signal and the noise, by least squares."""
    basis = np.stack([signal, noise], axis=1).astype(np.float64)
    (of_signal, of_noise), *_ = np.linalg.lstsq(basis, mixed.astype(np.float64), rcond=None)
    return float(10 * np.log10((of_signal**2 * power(signal)) / (of_noise**2 * power(noise))))


@MODEST
@given(
    seed=SEEDS,
    num_samples=st.integers(200, 3000),
    loudness=st.floats(1e-4, 1.0),
    noise_loudness=st.floats(1e-4, 1e4),
    decibels=st.floats(-30, 40),
)
def test_the_ratio_is_the_one_asked_for(
    seed: int, num_samples: int, loudness: float, noise_loudness: float, decibels: float
) -> None:
    generator = np.random.default_rng(seed)
    signal = (loudness * generator.standard_normal(num_samples)).astype(np.float32)
    noise = (noise_loudness * generator.standard_normal(num_samples)).astype(np.float32)
    mixed = add_noise(signal, noise, decibels)
    assert mixed.dtype == np.float32
    assert mixed.shape == signal.shape
    assert np.abs(mixed).max() <= 1
    assert measured_ratio(mixed, signal, noise) == pytest.approx(decibels, abs=1e-3)


@MODEST
@given(signal=WAVES, decibels=st.floats(-50, 100), data=st.data())
def test_no_input_gives_anything_but_numbers_within_full_scale(signal: Array, decibels: float, data: Any) -> None:
    noise = data.draw(arrays(np.float32, len(signal), elements=st.floats(-2, 2, width=32, allow_subnormal=True)))
    mixed = add_noise(signal, noise, decibels)
    assert mixed.shape == signal.shape
    assert np.isfinite(mixed).all()
    if signal.any() and noise.any():
        assert np.abs(mixed).max() <= 1
    else:
        assert mixed is signal


def test_silence_stays_and_silent_noise_adds_nothing() -> None:
    silence, tone = np.zeros(50, dtype=np.float32), np.ones(50, dtype=np.float32)
    assert add_noise(silence, tone, 0) is silence
    assert add_noise(tone, silence, 0) is tone


@pytest.mark.parametrize(("kind", "slope"), [("white", 0.0), ("pink", -10.0), ("brown", -20.0)])
def test_synthetic_noise_falls_as_its_kind_says(kind: NoiseKind, slope: float) -> None:
    noise = synthetic_noise(1 << 18, kind, RandomState(0))
    assert power(noise) == pytest.approx(1, rel=1e-5)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / 16000)
    low, high = (spectrum[(hertz >= edge) & (hertz < 1.2 * edge)].mean() for edge in (100, 1000))
    assert 10 * np.log10(high / low) == pytest.approx(slope, abs=0.5)  # decibels over a factor of ten
    if kind != "white":
        assert spectrum[(hertz > 0) & (hertz < 10)].mean() < 2 * spectrum[(hertz > 18) & (hertz < 20)].mean()


@given(num_samples=st.integers(1, 50), kind=st.sampled_from(["white", "pink", "brown"]), seed=SEEDS)
@MODEST
def test_synthetic_noise_of_any_length_is_made_of_numbers(num_samples: int, kind: NoiseKind, seed: int) -> None:
    noise = synthetic_noise(num_samples, kind, RandomState(seed))
    assert noise.shape == (num_samples,)
    assert np.isfinite(noise).all()
    assert np.array_equal(noise, synthetic_noise(num_samples, kind, RandomState(seed)))
    assert power(noise) == pytest.approx(0 if num_samples == 1 and kind != "white" else 1, abs=1e-5)


@given(wave=WAVES, num_samples=st.integers(1, 700), seed=SEEDS)
@MODEST
def test_a_fitted_waveform_goes_on_as_its_source_does(wave: Array, num_samples: int, seed: int) -> None:
    marked = np.arange(len(wave), dtype=np.float32)
    fitted = fit_length(marked, num_samples, RandomState(seed))
    assert len(fitted) == num_samples
    assert set(np.diff(fitted).tolist()) <= {1.0, 1.0 - len(wave)}
    if num_samples <= len(wave):
        assert (np.diff(fitted) == 1).all()


def test_all_places_of_a_longer_waveform_are_drawn() -> None:
    starts = {float(fit_length(np.arange(8, dtype=np.float32), 5, RandomState(seed))[0]) for seed in range(60)}
    assert starts == {0.0, 1.0, 2.0, 3.0}
    assert not fit_length(np.zeros(0, dtype=np.float32), 3, RandomState(0)).any()


def test_voices_of_a_babble_are_equally_loud() -> None:
    tones = [np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000).astype(np.float32) for hertz in (200, 700, 3000)]
    voices = [loudness * tone for loudness, tone in zip((1.0, 1e-3, 0.05), tones, strict=True)]
    mixed = babble([*voices, np.zeros(9, dtype=np.float32)], 16_000, RandomState(1))
    spectrum = np.abs(np.fft.rfft(mixed))[[200, 700, 3000]]
    np.testing.assert_allclose(spectrum, spectrum[0], rtol=1e-3)
    assert power(mixed) == pytest.approx(3, rel=1e-3)
    assert not babble([], 7, RandomState(0)).any()


@given(wave=WAVES, decibels=st.floats(-60, 60))
@MODEST
def test_volume_is_exact_up_to_full_scale(wave: Array, decibels: float) -> None:
    changed = change_volume(wave, decibels)
    gain = 10 ** (decibels / 20)
    assert changed.dtype == np.float32
    if np.abs(wave).max() * gain <= 1:
        np.testing.assert_allclose(changed, wave * gain, rtol=1e-6, atol=1e-44)
    else:
        assert np.abs(changed).max() == 1
        np.testing.assert_allclose(changed * np.abs(wave).max(), wave, rtol=1e-5, atol=1e-38)


@given(wave=WAVES)
@MODEST
def test_power_and_full_scale(wave: Array) -> None:
    assert power(wave) == pytest.approx(float(np.mean(wave.astype(np.float64) ** 2)), rel=1e-9)
    assert np.abs(within_full_scale(wave)).max() <= 1
    if np.abs(wave).max() <= 1:
        assert np.array_equal(within_full_scale(wave), wave)
    assert power(unit_power(wave)) == pytest.approx(1.0 if power(wave) > 0 else 0.0, rel=1e-4)
