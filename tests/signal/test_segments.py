import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import AudioError
from sprachbund.signal.audio import read_audio, write_audio
from sprachbund.signal.segments import iterate_audio, read_segment

MODEST = settings(deadline=None, max_examples=40)


def noise(num_samples, seed=0):
    return (0.2 * np.random.default_rng(seed).standard_normal(num_samples)).clip(-1, 1).astype(np.float32)


def encode(samples, rate, file_format="WAV", subtype="FLOAT"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, subtype=subtype)
    return file.getvalue()


RATES = {rate: encode(noise(2 * rate + 123, rate), rate) for rate in (8000, 11025, 12345, 16000, 22050, 44100, 48000)}
WHOLE = {rate: read_audio(content) for rate, content in RATES.items()}


@MODEST
@given(rate=st.sampled_from(list(RATES)), first=st.integers(0, 31_000), count=st.integers(1, 33_000))
def test_a_part_is_that_part_of_the_whole(rate, first, count):
    part = read_segment(RATES[rate], first / 16000, count / 16000)
    expected = WHOLE[rate][first : first + count]
    assert len(part) == len(expected)
    assert part.dtype == np.float32
    if rate == 16000:
        np.testing.assert_array_equal(part, expected)
    else:
        assert np.abs(part - expected).max() <= 1e-6


@pytest.mark.parametrize("rate", [12345, 16000, 44100])
def test_a_part_that_covers_all_is_the_whole(rate):
    np.testing.assert_array_equal(read_segment(RATES[rate], 0, 1000), WHOLE[rate])


@pytest.mark.parametrize(
    ("file_format", "subtype", "tolerance"),
    [("FLAC", "PCM_16", 0), ("OGG", "VORBIS", 0), ("MP3", "MPEG_LAYER_III", 1e-6), ("OGG", "OPUS", 5e-3)],
)
def test_compressed_formats_are_sought_in(file_format, subtype, tolerance):
    content = encode(np.cumsum(noise(80_000)).astype(np.float32) / 200, 16000, file_format, subtype)
    whole = read_audio(content)
    for first in (1, 5_000, 33_333, 70_001):
        part = read_segment(content, first / 16000, 0.5)
        assert len(part) == min(8000, len(whole) - first)
        assert np.abs(part - whole[first : first + 8000]).max() <= tolerance


def test_parts_are_read_at_a_rate_and_by_channel():
    content = encode(np.stack([noise(9000), noise(9000, 1)], axis=1), 8000)
    native = read_segment(content, 0.5, 0.25, 8000, channel=1)
    np.testing.assert_array_equal(native, noise(9000, 1)[4000:6000])


@pytest.mark.parametrize(("start", "duration"), [(5.0, 1.0), (-0.5, 1.0), (0.5, 0.0), (0.5, -1.0)])
def test_a_part_that_is_not_there_is_told(start, duration):
    with pytest.raises(AudioError, match="nothing at this place"):
        read_segment(RATES[16000], start, duration)


def test_a_hundred_parts_do_not_read_the_whole_a_hundred_times(tmp_path, monkeypatch):
    write_audio(tmp_path / "long.flac", noise(60 * 16000))
    given_out = []
    original = soundfile.SoundFile.read

    def counted(self, *arguments, **named):
        part = original(self, *arguments, **named)
        given_out.append(len(part))
        return part

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    monkeypatch.setattr("sprachbund.signal.recordings.CHUNK", 4000)
    for number in range(100):
        assert len(read_segment(tmp_path / "long.flac", number / 2, 0.1)) == 1600
    assert sum(given_out) <= 100 * 4000


@MODEST
@given(rate=st.sampled_from(list(RATES)), seconds=st.floats(0.001, 3))
def test_blocks_one_after_another_are_the_whole(rate, seconds):
    blocks = list(iterate_audio(RATES[rate], seconds))
    np.testing.assert_array_equal(np.concatenate(blocks), WHOLE[rate])
    assert {len(block) for block in blocks[:-1]} <= {round(seconds * 16000)}
    assert 0 < len(blocks[-1]) <= round(seconds * 16000)


def test_blocks_of_a_container_are_the_whole(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.g722"
    path.write_bytes(np.random.default_rng(0).integers(0, 256, 20_000, dtype=np.uint8).tobytes())
    assert av is not None
    np.testing.assert_array_equal(np.concatenate(list(iterate_audio(path, 0.3))), read_audio(path))
    np.testing.assert_array_equal(read_segment(path, 1.0, 0.5), read_audio(path)[16000:24000])


def test_what_cannot_be_read_in_blocks_is_told():
    for content, sentence in (
        (encode(np.zeros(0), 16000), "is empty"),
        (encode(np.array([0.1, np.nan]), 16000), "nan at sample 1"),
        (encode(noise(9000), 16000)[:9000], "cut short"),
        (b"nothing", "Not a recording"),
    ):
        with pytest.raises(AudioError, match=sentence):
            list(iterate_audio(content, 0.1))
    with pytest.raises(AudioError, match="holds no sample"):
        next(iterate_audio(RATES[16000], 0.0))


MEMORY = """
import resource, sys
import numpy as np
from sprachbund.signal.audio import read_audio
from sprachbund.signal.segments import iterate_audio, read_segment
path, what = sys.argv[1:]
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
read_segment(path, 0, 1)
before = peak()
if what == "blocks":
    count = sum(len(block) for block in iterate_audio(path, 30))
elif what == "parts":
    count = sum(len(read_segment(path, start, 5)) for start in np.linspace(0, 3590, 100))
else:
    count = len(read_audio(path))
print(count, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rate", [16000, 44100])
def test_an_hour_is_read_in_bounded_memory(tmp_path, rate):
    path = tmp_path / "hour.flac"
    minute = (noise(60 * rate) * 32767).astype(np.int16)
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as sound:
        for _ in range(60):
            sound.write(minute)
    wanted = {"blocks": (57_600_000, 64), "parts": (100 * 80_000, 64), "whole": (57_600_000, 300)}
    for what, (samples, mebibytes) in wanted.items():
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path), what], capture_output=True, text=True, check=True
        )
        count, growth = done.stdout.split()
        assert int(count) == samples
        # The samples of an hour themselves are 220 MiB.
        assert float(growth) < mebibytes, what
