import sys
from pathlib import Path

import numpy as np
import pytest
from lhotse.cut import Cut

from spoken import RATE, cut_of, spoken_us
from sprachbund.decoding.recognition import sphinx as sphinx_recognizer
from sprachbund.decoding.recognition.sphinx import transcribe_cuts, transcribe_files, transcribe_waveform
from sprachbund.errors import AudioError, DataError
from sprachbund.signal.audio import write_audio

WAVES = {length: np.full(length, 0.25, np.float32) for length in (1600, 3200, 800)}
TEXTS = ["o'clock a m", "mr x", ""]


@pytest.fixture
def knows_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PocketSphinx that hears how long a sound is: the real one takes a second for each."""
    heard = {1600: ("O'Clock", "a.m."), 3200: ("mr.", "x"), 800: ()}
    monkeypatch.setattr(sphinx_recognizer, "recognize_words", lambda waveform: heard[len(waveform)])


def cuts(folder: Path) -> list[Cut]:
    return [cut_of(folder, str(name), wave, [(0.0, name / RATE, "us", "en")]) for name, wave in WAVES.items()]


def test_the_real_one_hears_normalised_words_in_a_sound_and_none_in_silence() -> None:
    text = transcribe_waveform(spoken_us(0.05))
    assert text
    assert text == " ".join(text.lower().split())
    assert not set(text) & set("<>[]()0123456789")
    assert [transcribe_waveform(np.zeros(length, np.float32)) for length in (0, 90, RATE)] == ["", "", ""]


@pytest.mark.slow
def test_noise_is_defined() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    assert transcribe_waveform(noise) == transcribe_waveform(noise)


@pytest.mark.usefixtures("knows_lengths")
def test_cuts_files_and_waveforms_say_the_same_in_any_order(tmp_path: Path) -> None:
    assert [transcribe_waveform(wave) for wave in WAVES.values()] == TEXTS
    assert list(transcribe_cuts(cuts(tmp_path))) == TEXTS
    assert list(transcribe_cuts(cuts(tmp_path)[::-1])) == TEXTS[::-1]
    paths = []
    for name, wave in WAVES.items():
        paths.append(tmp_path / f"{name}.wav")
        write_audio(paths[-1], wave, RATE)
    assert list(transcribe_files(paths)) == TEXTS


@pytest.mark.slow
def test_several_processes_say_the_same(tmp_path: Path) -> None:
    spoken = [cut_of(tmp_path, str(lead), spoken_us(lead), []) for lead in (0.05, 0.1, 0.2)]
    assert list(transcribe_cuts(spoken, jobs=2)) == list(transcribe_cuts(spoken))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"nothing to hear")
    with pytest.raises(AudioError, match="broken"):
        list(transcribe_files([broken]))


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(DataError, match=r"sprachbund\[alignment\]"):
        transcribe_cuts([])
