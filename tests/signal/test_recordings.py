import io

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import AudioError
from sprachbund.signal.recordings import check_finite, gathered, open_recording

SAMPLES = (np.arange(5000) % 997 / 1000).astype(np.float32)


def encode(samples, rate=16000, file_format="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, subtype=subtype)
    return file.getvalue()


def of_unknown_length(content):
    """A FLAC stream as a pipe leaves it: the header's number of samples is 0."""
    start = content.index(b"fLaC") + 8 + 13
    return content[:start] + bytes([content[start] & 0xF0]) + bytes(4) + content[start + 5 :]


def read(source, first=0, channel=None):
    with open_recording(source, channel) as recording:
        blocks = list(recording.blocks(first))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


CONTENTS = {
    "wav": encode(SAMPLES, subtype="PCM_24"),
    "flac": encode(SAMPLES, file_format="FLAC"),
    "flac from a pipe": of_unknown_length(encode(SAMPLES, file_format="FLAC")),
    "vorbis": encode(SAMPLES, file_format="OGG"),
    "gsm, which cannot seek": encode(SAMPLES, file_format="WAV", subtype="GSM610"),
}


@pytest.mark.parametrize("kind", list(CONTENTS))
def test_blocks_from_a_sample_on_are_the_rest_of_all(kind):
    if kind == "flac from a pipe":
        pytest.importorskip("av")
    whole = read(CONTENTS[kind])
    assert len(whole) >= len(SAMPLES)

    @settings(deadline=None, max_examples=25)
    @given(first=st.integers(0, len(whole) + 3))
    def check(first):
        np.testing.assert_array_equal(read(CONTENTS[kind], first), whole[first:])

    check()


def test_a_flac_from_a_pipe_does_not_say_its_length():
    pytest.importorskip("av")
    with open_recording(CONTENTS["flac from a pipe"]) as recording:
        assert recording.num_samples is None
    with open_recording(CONTENTS["flac"]) as recording:
        assert recording.num_samples == 5000


def test_one_channel_or_the_average_of_all():
    content = encode(np.stack([SAMPLES, -SAMPLES / 2, np.zeros(5000)], axis=1), subtype="FLOAT")
    np.testing.assert_array_equal(read(content, channel=0), SAMPLES)
    np.testing.assert_array_equal(read(content, 100, channel=1), -SAMPLES[100:] / 2)
    np.testing.assert_allclose(read(content), SAMPLES / 6, atol=1e-6)
    for channel in (3, -1):
        with pytest.raises(AudioError, match="does not have this channel"):
            read(content, channel=channel)


def test_containers_are_read_from_a_sample_on_and_by_channel(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.mp4"
    wave = np.stack([SAMPLES, np.zeros(5000, dtype=np.float32)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
        frame.sample_rate = 16000
        frame.pts = 0
        fifo = av.AudioFifo()
        fifo.write(frame)
        for part in [*fifo.read_many(1024), fifo.read(partial=True), None]:
            container.mux(stream.encode(part))
    whole = read(path)
    with open_recording(path) as recording:
        assert (recording.sampling_rate, recording.num_channels, recording.num_samples) == (16000, 2, None)
    for first in (1, 1024, 2500, len(whole)):
        np.testing.assert_array_equal(read(path, first), whole[first:])
    left, right = read(path, channel=0), read(path, channel=1)
    np.testing.assert_allclose((left + right) / 2, whole, atol=1e-6)
    assert np.abs(left).max() > 10 * np.abs(right).max()


def test_a_recording_that_is_cut_short_is_told_when_its_end_is_reached():
    content = encode(SAMPLES)[:4000]
    with open_recording(content) as recording:
        blocks = recording.blocks(0)
        assert len(next(blocks)) == 1978
        with pytest.raises(AudioError, match=r"cut short.*1978 of 5000"):
            next(blocks)


MP3 = encode(np.tile(SAMPLES, 4), file_format="MP3")
FIRST_FRAME = MP3.index(MP3[:2], 4)  # it holds no sound, but the length of the whole
ID3 = b"ID3\x04\0\0\0\0\x02\x01" + bytes(257)


@pytest.mark.parametrize("title", [b"", ID3], ids=["bare", "titled"])
def test_mp3_without_a_length_is_read_as_far_as_it_goes(title: bytes):
    content = title + MP3[FIRST_FRAME:]
    with open_recording(content) as recording:
        assert recording.num_samples is None
    assert len(read(content)) >= 4 * len(SAMPLES)
    half = len(read(content[: len(content) // 2]))
    assert 0.4 < half / len(read(content)) < 0.6


@pytest.mark.parametrize("title", [b"", ID3], ids=["bare", "titled"])
def test_mp3_with_a_length_is_told_when_it_is_cut_short(title: bytes):
    with open_recording(title + MP3) as recording:
        assert recording.num_samples == len(read(title + MP3)) == 4 * len(SAMPLES)
    with pytest.raises(AudioError, match="cut short"):
        read((title + MP3)[: len(MP3) // 2])


def test_samples_that_are_no_numbers_are_counted_over_all_blocks():
    good, bad = np.ones(10, dtype=np.float32), np.array([1, np.inf, np.nan], dtype=np.float32)
    blocks = check_finite(iter([good, bad, good, bad]), "a.wav")
    assert next(blocks) is good
    with pytest.raises(AudioError, match=r"inf at sample 11, 4 in all"):
        next(blocks)


@settings(deadline=None, max_examples=100)
@given(
    sizes=st.lists(st.integers(0, 12), max_size=8),
    size=st.integers(1, 10),
    first=st.integers(0, 40),
)
def test_gathered_blocks_hold_the_same_samples(sizes, size, first):
    values = np.arange(sum(sizes), dtype=np.float32)
    blocks = list(gathered(iter(np.split(values, np.cumsum(sizes)[:-1])) if sizes else iter([]), size, first))
    assert [len(block) for block in blocks[:-1]] == [size] * (len(blocks) - 1)
    assert all(0 < len(block) <= size for block in blocks)
    np.testing.assert_array_equal(np.concatenate([np.zeros(0, np.float32), *blocks]), values[first:])


@pytest.mark.parametrize("channels", [2, 7, 8])
def test_all_channels_that_pyav_decodes_are_averaged(channels: int) -> None:
    waves = np.linspace(-0.5, 0.25, channels)[:, None] * np.ones(4000)
    written = io.BytesIO()
    soundfile.write(written, waves.T, 16_000, format="FLAC", subtype="PCM_16")
    content = bytearray(written.getvalue())
    # Without its length, as from a pipe: the last 36 bits before the checksum of the first block.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    with open_recording(bytes(content)) as recording:
        assert (recording.num_channels, recording.num_samples) == (channels, None)
        np.testing.assert_allclose(np.concatenate(list(recording.blocks(0))), waves.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 3000, "nul\0byte"])
def test_names_that_no_file_can_have_are_told(name: str) -> None:
    with pytest.raises(AudioError, match="No such recording"), open_recording(name):
        pass
