import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tiny
from sprachbund.data.checking import sounds as module
from sprachbund.data.checking.problems import Fault
from sprachbund.data.checking.sounds import Sound, read_sound, read_sounds
from sprachbund.shapes import Array
from sprachbund.signal import recordings
from sprachbund.signal.audio import write_audio


def original() -> Array:
    """A tone in 16 bits, as every lossless container can hold it."""
    return np.rint(tiny.tone(12_000) * 32768).astype(np.int16)


def test_one_sound_in_many_containers(tmp_path: Path):
    samples = original()
    soundfile.write(tmp_path / "a.wav", samples, 16000)
    soundfile.write(tmp_path / "b.flac", samples, 16000)
    soundfile.write(tmp_path / "c.aiff", samples, 16000, subtype="PCM_24")
    soundfile.write(tmp_path / "d.wav", np.stack([samples, samples], axis=1), 16000)
    shutil.copy(tmp_path / "a.wav", tmp_path / "e.flac")  # the name says nothing
    found = [read_sound(str(path)) for path in sorted(tmp_path.iterdir())]
    assert len({sound.digest for sound in found}) == 1
    assert found[0].digest is not None
    assert [sound.num_channels for sound in found] == [1, 1, 1, 2, 1]
    samples[500] += 1
    soundfile.write(tmp_path / "f.wav", samples, 16000)
    assert read_sound(str(tmp_path / "f.wav")).digest != found[0].digest


def test_headers_alone(tmp_path: Path):
    write_audio(tmp_path / "a.flac", tiny.tone(12_000), 11025)
    assert read_sound(str(tmp_path / "a.flac"), is_quick=True) == Sound(11025, 1, 12_000)
    full = read_sound(str(tmp_path / "a.flac"))
    assert (full.sampling_rate, full.num_channels, full.num_samples) == (11025, 1, 12_000)
    assert full.seconds == 12_000 / 11025


def cut_flac(path: Path) -> None:
    soundfile.write(path, original(), 16000, format="FLAC")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_wav(path: Path) -> None:
    soundfile.write(path, original(), 16000)
    path.write_bytes(path.read_bytes()[:9000])


def lying_header(path: Path) -> None:
    """The header promises ten times the samples."""
    soundfile.write(path, original(), 16000)
    content = bytearray(path.read_bytes())
    content[40:44] = (10 * 2 * 12_000).to_bytes(4, "little")
    path.write_bytes(content)


def not_numbers(path: Path) -> None:
    soundfile.write(path, np.array([0.1, np.nan] * 1000, np.float32), 16000, subtype="FLOAT", format="WAV")


BROKEN: dict[str, Callable[[Path], object]] = {
    "cut flac": cut_flac,
    "cut wav": cut_wav,
    "lying header": lying_header,
    "not numbers": not_numbers,
    "nothing": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(5000)),
    "text": lambda path: path.write_text("This is no sound.\n" * 50),
    "no samples": lambda path: soundfile.write(path, np.zeros(0, np.int16), 16000, format="WAV"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_damaged_recordings(tmp_path: Path, how: str):
    BROKEN[how](tmp_path / "a.wav")
    sound = read_sound(str(tmp_path / "a.wav"))
    assert sound.damage is not None
    assert sound.damage.kind == "unreadable-audio"
    assert sound == Sound(damage=sound.damage)


def test_missing_recordings(tmp_path: Path):
    for path in (tmp_path / "none.wav", tmp_path):
        assert read_sound(str(path)) == Sound(damage=Fault("missing-audio", "no such file"))


def test_mp3_under_the_name_of_wav_is_read_as_what_it_is(tmp_path: Path):
    soundfile.write(tmp_path / "a.mp3", original(), 16000, format="MP3")
    shutil.move(tmp_path / "a.mp3", tmp_path / "a.wav")
    sound = read_sound(str(tmp_path / "a.wav"))
    assert sound.damage is None
    assert sound.sampling_rate == 16000
    # Lossy: no longer the same samples, and with the encoder's padding no longer as long as declared.
    soundfile.write(tmp_path / "b.wav", original(), 16000)
    assert sound.digest != read_sound(str(tmp_path / "b.wav")).digest


def test_loudness(tmp_path: Path):
    wave = np.full(8000, 0.25, np.float32)
    wave[:20] = -1.0
    soundfile.write(tmp_path / "a.wav", wave, 16000, subtype="FLOAT")
    sound = read_sound(str(tmp_path / "a.wav"))
    assert (sound.peak, sound.at_full_scale) == (1.0, 20 / 8000)


def test_long_recordings_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = str(tmp_path / "a.flac")
    wave = tiny.tone(50_000)
    wave[:100] = 1.0  # in the first block only
    write_audio(Path(path), wave)
    whole = read_sound(path)
    assert whole.at_full_scale == 100 / 50_000
    monkeypatch.setattr(recordings, "CHUNK", 999)
    assert read_sound(path) == whole


def test_processes_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FILES_A_PROCESS", 2)
    paths = []
    for number, samples in enumerate(tiny.clip_samples(7)):
        paths.append(str(tmp_path / f"{number}.wav"))
        write_audio(Path(paths[-1]), tiny.tone(samples, number))
    Path(paths[3]).write_bytes(b"")
    alone = read_sounds(paths, 1)
    assert list(alone) == paths
    assert read_sounds(paths, 3) == alone
