import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from sprachbund.errors import AudioError
from sprachbund.lengths import frames_from_samples
from sprachbund.signal import features
from sprachbund.signal.features import log_mel, mel_basis, mfcc, mfcc_bands, normalize_waveform, num_mfcc_frames


def load_case(golden, name):
    folder = golden / "preprocess"
    if not folder.is_dir():
        pytest.skip("this golden directory has no preprocess folder")
    return load_file(folder / name / "io.safetensors")


def noise(num_samples, seed=0):
    return (0.1 * np.random.RandomState(seed).randn(num_samples)).astype(np.float32)


def test_log_mel_equals_the_original_one(golden):
    case = load_case(golden, "speecht5_logmel")
    np.testing.assert_allclose(mel_basis(), case["out.mel_basis"], atol=1e-8)
    inputs = [key for key in case if key.startswith("in.wav_")]
    assert inputs
    for key in inputs:
        np.testing.assert_allclose(log_mel(case[key]), case[key.replace("in.wav", "out.logmel")], atol=1e-5, rtol=0)


def test_normalized_waveform_equals_the_original_one(golden):
    case = load_case(golden, "wav_normalize")
    inputs = [key for key in case if key.startswith("in.wav_")]
    assert inputs
    for key in inputs:
        expected = case[key.replace("in.wav", "out.normalized")]
        np.testing.assert_allclose(normalize_waveform(case[key]), expected, atol=2e-6, rtol=0)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # in the reference
def test_cepstra_equal_an_independent_implementation():
    layers = pytest.importorskip("lhotse.features.kaldi.layers")
    reference = layers.Wav2MFCC(
        frame_length=0.025,
        frame_shift=0.01,
        snip_edges=False,
        num_ceps=13,
        num_filters=23,
        low_freq=20,
        high_freq=8000,
        cepstral_lifter=22,
        dither=0.0,
        use_energy=False,
        torchaudio_compatible_mel_scale=True,
    )
    for num_samples in (400, 1690, 5123):
        expected = reference(torch.from_numpy(noise(num_samples))[None])[0].numpy()
        np.testing.assert_allclose(mfcc(noise(num_samples))[:, :13], expected, atol=1e-3)


@settings(deadline=None, max_examples=60)
@given(num_samples=st.integers(1, 5000))
def test_every_waveform_has_as_many_frames_as_told(num_samples):
    waveform = noise(num_samples, num_samples)
    mel, cepstra = log_mel(waveform), mfcc(waveform)
    assert mel.shape == (1 + num_samples // 256, 80)
    assert cepstra.shape == (num_mfcc_frames(num_samples), 39)
    assert mel.dtype == cepstra.dtype == np.float32
    assert np.isfinite(mel).all()
    assert np.isfinite(cepstra).all()


@settings(deadline=None, max_examples=200)
@given(num_samples=st.integers(1, 10**7))
def test_there_are_two_mfcc_frames_for_each_frame_of_the_model(num_samples):
    assert num_mfcc_frames(num_samples) >= 2 * frames_from_samples(num_samples)
    assert abs(num_mfcc_frames(num_samples) - num_samples / 160) <= 0.5 or num_samples < 80


def test_mfcc_frames_lie_where_they_are_told_to():
    waveform = np.zeros(16000, dtype=np.float32)
    waveform[8000:8160] = noise(160)
    energy = mfcc(waveform)[:, 0]
    # Frames 49 to 51 see the burst: 25 ms around samples 7920, 8080 and 8240.
    assert energy.argmax() == 50
    assert np.flatnonzero(energy > energy.min() + 1e-3).tolist() == [49, 50, 51]


def test_slopes_of_a_ramp_are_its_rise():
    ramp = np.arange(20, dtype=np.float64)[:, None] * np.array([[2.0, -1.0]])
    np.testing.assert_allclose(features._slopes(ramp)[2:-2], np.array([[2.0, -1.0]]).repeat(16, axis=0))


def test_a_tone_lights_the_band_it_belongs_to():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    centres = mel_basis() @ np.fft.rfftfreq(1024, 1 / 16000) / mel_basis().sum(axis=1)
    assert abs(centres[log_mel(tone)[30].argmax()] - 1000) < 40


def test_silence_is_the_floor():
    silence = np.zeros(3000, dtype=np.float32)
    assert (log_mel(silence) == -10).all()
    assert np.isfinite(mfcc(silence)).all()
    assert (normalize_waveform(silence) == 0).all()


@pytest.mark.parametrize("function", [log_mel, mfcc, mfcc_bands])
def test_working_in_blocks_changes_nothing(function, monkeypatch):
    whole = function(noise(9000))
    monkeypatch.setattr(features, "BLOCK", 7)
    np.testing.assert_allclose(function(noise(9000)), whole, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(num_samples=st.integers(2, 3000), gain=st.floats(0.5, 1.0), offset=st.floats(-0.5, 0.5))
def test_normalizing_takes_gain_and_offset_away(num_samples, gain, offset):
    waveform = 100 * noise(num_samples)  # so that the 1e-5 added to the variance is small
    changed = (gain * waveform + offset).astype(np.float32)
    np.testing.assert_allclose(normalize_waveform(changed), normalize_waveform(waveform), atol=2e-3)
    assert abs(normalize_waveform(waveform).mean()) < 1e-5


@pytest.mark.parametrize("function", [log_mel, mfcc, mfcc_bands, normalize_waveform])
def test_no_sample_is_an_error(function):
    with pytest.raises(AudioError, match="empty"):
        function(np.zeros(0, dtype=np.float32))


def test_bands_are_those_that_cepstra_are_made_of():
    """The orthonormal cosine transform of the bands, before liftering, is their cepstra."""
    from scipy.fft import dct

    waveform = noise(9_000)
    bands = mfcc_bands(waveform)
    assert bands.dtype == np.float32
    assert bands.shape == (num_mfcc_frames(9_000), 23)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    expected = dct(bands.astype(np.float64), norm="ortho", axis=1)[:, :13] * lifter
    np.testing.assert_allclose(mfcc(waveform)[:, :13], expected, atol=1e-3)
