"""Recordings with damaged headers and bodies, of every format that is read."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import tiny
from fuzz.kind import Kind, each, pick
from fuzz.mutations import damage_bytes
from sprachbund.signal.audio import probe_audio, read_audio

CLIP = Path(__file__).parents[2] / "corpora" / "asterisk" / "recordings" / "activated.flac"
SAMPLES = 4000
# name: (format, subtype) of libsndfile
SOUNDFILES = {
    "pcm16.wav": ("WAV", "PCM_16"),
    "pcm24.wav": ("WAVEX", "PCM_24"),
    "float.wav": ("WAV", "FLOAT"),
    "ulaw.wav": ("WAV", "ULAW"),
    "adpcm.wav": ("WAV", "MS_ADPCM"),
    "large.wav": ("RF64", "PCM_16"),
    "a.flac": ("FLAC", "PCM_16"),
    "vorbis.ogg": ("OGG", "VORBIS"),
    "opus.ogg": ("OGG", "OPUS"),
    "a.mp3": ("MP3", "MPEG_LAYER_III"),
    "a.aiff": ("AIFF", "PCM_16"),
    "a.au": ("AU", "PCM_16"),
    "a.caf": ("CAF", "PCM_16"),
}
# name: (container, codec) of FFmpeg
CONTAINERS = {
    "a.mp4": ("mp4", "aac"),
    "a.webm": ("webm", "libopus"),
    "a.g722": ("g722", "g722"),
    "a.mkv": ("matroska", "flac"),
}


def waveform() -> Any:
    """A real clip where the corpora are there, else a tone."""
    return read_audio(CLIP)[:SAMPLES] if CLIP.exists() else tiny.tone(SAMPLES)


def prepare(folder: Path) -> None:
    samples = waveform()
    for name, (container, subtype) in SOUNDFILES.items():
        soundfile.write(folder / name, samples, 16_000, subtype=subtype, format=container)
    for name, (container, codec) in CONTAINERS.items():
        (folder / name).write_bytes(encode(samples, container, codec))


def encode(samples: Any, container: str, codec: str) -> bytes:
    import av

    written = io.BytesIO()
    with av.open(written, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000 if codec == "libopus" else 16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.rate = 16_000
        frame.pts = 0
        resampler = av.AudioResampler(
            format=stream.format, layout="mono", rate=stream.rate, frame_size=stream.frame_size
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return written.getvalue()


def make(originals: Path, folder: Path, choice: random.Random, number: int) -> Path:
    names = sorted(path.name for path in originals.iterdir())
    name = names[number % len(names)]
    damaged = damage_bytes(
        (originals / name).read_bytes(), choice, other=(originals / pick(choice, names)).read_bytes()
    )
    # A foreign suffix now and then.
    path = folder / (name if choice.random() < 0.9 else f"a{Path(pick(choice, names)).suffix}")
    path.write_bytes(damaged)
    return path


def use(path: Path) -> None:
    each(lambda: check(path), lambda: check(path.read_bytes()), lambda: probe(path))


def check(source: Path | bytes) -> None:
    samples = read_audio(source)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) > 0
    assert np.isfinite(samples).all()


def probe(path: Path) -> None:
    info = probe_audio(path)
    assert info.num_samples > 0
    assert info.sampling_rate > 0
    assert info.duration < 1e12


AUDIO = Kind(3400, prepare, make, use)
