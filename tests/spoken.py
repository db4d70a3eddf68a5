"""A word made of resonances and noise, which an aligner finds where it is: no recording is needed."""

from pathlib import Path

import numpy as np
from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.cut import Cut
from scipy.signal import lfilter

from sprachbund.shapes import Array
from sprachbund.signal.audio import write_audio

RATE = 16_000


def vowel(num_samples: int) -> Array:
    """Pulses of a voice that falls from 130 Hz, through the resonances of a half-open mouth."""
    periods = np.cumsum(130 - 100 * np.arange(num_samples) / RATE) / RATE
    wave = np.diff(np.floor(periods), prepend=0)
    for frequency, width in ((640, 80), (1190, 90), (2390, 120), (3500, 200)):
        radius = np.exp(-np.pi * width / RATE)
        wave = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2], wave)
    wave = lfilter([1, -0.95], [1], wave)
    return 0.3 * wave / np.abs(wave).max()


def spoken_us(lead: float) -> Array:
    """The word "us", 0.2 s of a vowel and 0.2 s of a hiss, after `lead` seconds of a little noise."""
    generator = np.random.default_rng(0)
    word = np.concatenate([vowel(3200), 0.05 * np.diff(generator.standard_normal(3201))])
    waveform = 0.003 * generator.standard_normal(round(lead * RATE) + len(word) + 4800)
    waveform[round(lead * RATE) :][: len(word)] += word
    return waveform.astype(np.float32)


def cut_of(folder: Path, name: str, waveform: Array, texts: list[tuple[float, float, str, str | None]]) -> MonoCut:
    """A cut of a file, with a supervision for each (start, length, text, language)."""
    path = folder / f"{name}.wav"
    write_audio(path, waveform, RATE)
    seconds = len(waveform) / RATE
    recording = Recording(name, [AudioSource("file", [0], str(path))], RATE, len(waveform), seconds)
    said = [
        SupervisionSegment(f"{name}-{number}", name, start, length, text=text, language=language)
        for number, (start, length, text, language) in enumerate(texts)
    ]
    return MonoCut(name, 0.0, seconds, 0, recording=recording, supervisions=said)


def us(folder: Path, lead: float = 0.3, name: str = "us", text: str = "us", language: str | None = "en") -> MonoCut:
    """A cut that says "us", whatever its transcript says."""
    waveform = spoken_us(lead)
    return cut_of(folder, name, waveform, [(0.0, len(waveform) / RATE, text, language)])


def items(cut: Cut, tier: str) -> list[tuple[str, float, float]]:
    """Symbol, start and end of everything in a tier."""
    return [(item.symbol, item.start, item.end) for said in cut.supervisions for item in said.alignment[tier]]
