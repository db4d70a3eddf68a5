import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.random import RandomState

from sprachbund.shapes import Array
from sprachbund.signal.augment.noise import power
from sprachbund.signal.augment.reverberation import reverberate, simulated_response

MODEST = settings(deadline=None, max_examples=50)
WAVES = arrays(np.float32, st.integers(1, 200), elements=st.floats(-1, 1, width=32))


@given(wave=WAVES, before=st.integers(0, 30), after=st.integers(0, 30), height=st.floats(0.01, 50))
@MODEST
def test_a_single_peak_anywhere_and_of_any_height_changes_nothing(
    wave: Array, before: int, after: int, height: float
) -> None:
    response = np.concatenate([np.zeros(before), [height], np.zeros(after)]).astype(np.float32)
    np.testing.assert_allclose(reverberate(wave, response), wave, atol=1e-6)


@given(wave=WAVES, response=arrays(np.float32, st.integers(1, 60), elements=st.floats(-1, 1, width=32)))
@MODEST
def test_it_is_a_convolution_of_the_same_length_and_power(wave: Array, response: Array) -> None:
    heard = reverberate(wave, response)
    assert heard.shape == wave.shape
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()
    if not response.any() or not wave.any():
        assert heard is wave
        return
    direct = int(np.abs(response).argmax())
    expected = np.convolve(wave.astype(np.float64), response.astype(np.float64))[direct : direct + len(wave)]
    if np.abs(expected).max() < 1e-6 * np.abs(wave).max():
        return  # what rounding leaves
    scale = np.sqrt(power(wave) / power(expected))
    scale /= max(1, np.abs(expected).max() * scale)
    np.testing.assert_allclose(heard, expected * scale, atol=2e-5)
    assert power(heard) <= power(wave) * (1 + 1e-4) + 1e-60  # the least floats are rounded coarsely


@pytest.mark.parametrize("decay", [0.2, 0.7])
@pytest.mark.parametrize("decibels", [-3.0, 10.0])
def test_simulated_rooms_decay_as_asked(decay: float, decibels: float) -> None:
    response = simulated_response(decay, decibels, RandomState(5)).astype(np.float64)
    assert len(response) == round(decay * 16_000)
    assert response[0] == 1
    assert 10 * np.log10(1 / np.sum(response[1:] ** 2)) == pytest.approx(decibels, abs=1e-3)
    # Schroeder's integral: the energy still to come falls along a line of 60 decibels in the decay time.
    left = 10 * np.log10(np.cumsum(response[:0:-1] ** 2)[::-1] / np.sum(response[1:] ** 2))
    here, there = np.argmax(left < -5), np.argmax(left < -35)
    assert (there - here) / 16_000 * 2 == pytest.approx(decay, rel=0.1)


def test_the_shortest_room_is_still_one() -> None:
    response = simulated_response(1e-6, 3.0, RandomState(0))
    assert len(response) == 2
    assert np.isfinite(response).all()


def test_speech_stays_where_it_was() -> None:
    wave = np.zeros(4000, dtype=np.float32)
    wave[1000] = 0.5
    heard = reverberate(wave, np.roll(np.pad(simulated_response(0.05, 6.0, RandomState(2)), (0, 40)), 40))
    assert np.abs(heard).argmax() == 1000
    assert np.abs(heard[:999]).max() < 1e-6
