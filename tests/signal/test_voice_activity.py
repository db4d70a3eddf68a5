import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.errors import RecipeError
from sprachbund.signal.voice_activity import (
    FRAME,
    PADDING,
    PAUSE,
    energy_frames,
    speech_stretches,
    webrtc_frames,
)

RATE = 16_000


def bursts(times: list[tuple[float, float]], seconds: float, noise: float = 1e-4, loudness: float = 1.0) -> np.ndarray:
    waveform = noise * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    for number, (start, end) in enumerate(times):
        first = round(start * RATE)
        waveform[first : round(end * RATE)] += loudness * tiny.tone(round(end * RATE) - first, number)
    return waveform.astype(np.float32)


@pytest.mark.parametrize(("noise", "loudness"), [(0.0, 1.0), (1e-3, 1.0), (2e-2, 1.0), (1e-4, 0.02)])
def test_stretches_are_those_of_the_sound_and_a_little_more(noise, loudness):
    times = [(0.5, 1.5), (2.5, 3.0), (5.0, 9.0)]
    found = speech_stretches(bursts(times, 10.0, noise, loudness))
    assert len(found) == 3
    for (first, end), (start, stop) in zip(found, times, strict=True):
        assert start - 2 * PADDING <= first / RATE <= start
        assert stop <= end / RATE <= stop + 2 * PADDING


def test_the_noise_may_change():
    quiet, loud = bursts([(1.0, 2.0)], 10.0, 1e-4), bursts([(5.0, 6.0)], 10.0, 2e-2)
    found = speech_stretches(np.concatenate([quiet, loud]))
    assert any(first / RATE <= 15.0 and end / RATE >= 16.0 for first, end in found)
    assert any(first / RATE <= 1.0 and 2.0 <= end / RATE <= 2.5 for first, end in found)
    # But for the seconds before the noise began, louder noise is no speech.
    assert all(end / RATE <= 13.5 or first / RATE >= 14.5 for first, end in found)


@pytest.mark.parametrize("level", [0.0, 1e-4, 1e-2])
def test_silence_and_steady_noise_are_no_speech(level):
    noise = (level * np.random.default_rng(2).standard_normal(8 * RATE)).astype(np.float32)
    assert speech_stretches(noise) == []
    assert not energy_frames(noise).any()


def test_loud_sound_without_a_pause_is_not_taken_for_noise():
    (stretch,) = speech_stretches(tiny.tone(20 * RATE))
    assert stretch == (0, 20 * RATE)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.floats(0.02, 2.0)), max_size=5), st.integers(0, 3000))
def test_stretches_are_in_order_inside_the_recording_and_apart(parts, more):
    pieces = [
        piece for pause, length in parts for piece in (np.zeros(round(pause * RATE)), tiny.tone(round(length * RATE)))
    ]
    waveform = np.concatenate([*pieces, np.zeros(more)]).astype(np.float32)
    found = speech_stretches(waveform)
    edges = [edge for stretch in found for edge in stretch]
    assert edges == sorted(edges)
    assert all(0 <= first < end <= len(waveform) for first, end in found)
    gaps = np.diff(edges)[1::2]
    assert (gaps >= round((PAUSE - 2 * PADDING) * RATE)).all()


@pytest.mark.parametrize("num_samples", [0, 1, FRAME - 1, FRAME, FRAME + 1])
def test_the_shortest_recordings_have_a_decision_a_frame(num_samples):
    waveform = np.ones(num_samples, np.float32)
    assert len(energy_frames(waveform)) == -(-num_samples // FRAME)
    assert speech_stretches(waveform) == []


def test_webrtc_decides_by_frames():
    pytest.importorskip("webrtcvad")
    frames = webrtc_frames(bursts([(1.0, 2.0)], 4.0))
    assert len(frames) == 200
    assert frames[55:95].mean() > 0.9
    assert frames[150:].mean() < 0.1
    assert len(webrtc_frames(np.zeros(FRAME + 7, np.float32))) == 1
    assert len(webrtc_frames(np.zeros(0, np.float32))) == 0
    (stretch,) = speech_stretches(bursts([(1.0, 2.0)], 4.0), "webrtc")
    assert stretch[0] / RATE <= 1.0
    assert stretch[1] / RATE >= 2.0


def test_a_missing_detector_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "webrtcvad", None)
    with pytest.raises(RecipeError, match=r"pip install 'sprachbund\[vad\]'"):
        speech_stretches(np.zeros(RATE, np.float32), "webrtc")
