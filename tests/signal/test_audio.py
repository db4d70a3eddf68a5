import builtins
import io

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprachbund.errors import AudioError
from sprachbund.signal.audio import (
    AudioInfo,
    join_blocks,
    probe_audio,
    read_audio,
    resample,
    resample_blocks,
    write_audio,
)


def tone(num_samples=4000, rate=16000, hertz=440.0):
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(num_samples) / rate)).astype(np.float32)


def encode(samples, rate=16000, file_format="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, subtype=subtype)
    return file.getvalue()


def encode_container(path, codec, samples, rate):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        context = stream.codec_context
        resampler = av.AudioResampler(format=context.format, rate=rate, frame_size=context.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(part))
    return path


@pytest.fixture
def without_av(monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "av":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=50),
    suffix=st.sampled_from([".wav", ".flac", ".WAV"]),
    rate=st.sampled_from([8000, 16000, 44100]),
)
def test_what_is_written_is_read_back(tmp_path, values, suffix, rate):
    path, waveform = tmp_path / f"a{suffix}", np.array(values, dtype=np.float32)
    write_audio(path, waveform, rate)
    again = read_audio(path, rate)
    assert again.dtype == np.float32
    assert np.abs(again - waveform).max() <= 1 / 32768
    assert probe_audio(path) == AudioInfo(rate, 1, len(values))
    assert probe_audio(path).duration == len(values) / rate


def test_vorbis_and_long_recordings_are_written_whole(tmp_path):
    waveform = tone(300_000)
    write_audio(tmp_path / "a.ogg", waveform)
    again = read_audio(tmp_path / "a.ogg")
    assert len(again) == 300_000
    assert np.abs(again - waveform).max() < 0.05


def test_loud_samples_are_clipped_not_wrapped(tmp_path):
    write_audio(tmp_path / "a.wav", np.array([1.5, -1.5, 1.0, -1.0], dtype=np.float32))
    assert np.abs(read_audio(tmp_path / "a.wav") - [1, -1, 1, -1]).max() <= 1 / 32768


@pytest.mark.parametrize("bad", [np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf])])
def test_nothing_is_left_of_a_waveform_that_cannot_be_written(tmp_path, bad):
    with pytest.raises(AudioError):
        write_audio(tmp_path / "a.wav", bad.astype(np.float32))
    with pytest.raises(AudioError, match="suffix"):
        write_audio(tmp_path / "a.mp3", tone())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file_format", "subtype", "tolerance"),
    [
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "DOUBLE", 1e-6),
        ("WAV", "ULAW", 0.02),
        ("AIFF", "PCM_16", 1e-4),
        ("AU", "PCM_16", 1e-4),
        ("NIST", "PCM_16", 1e-4),
        ("CAF", "PCM_16", 1e-4),
        ("OGG", "OPUS", 0.1),
        ("MP3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_other_formats_are_read(file_format, subtype, tolerance):
    content = encode(tone(), file_format=file_format, subtype=subtype)
    waveform = read_audio(content)
    assert waveform.shape == (4000,)
    assert np.abs(waveform - tone()).max() < tolerance
    assert probe_audio(content).num_samples == 4000


def test_channels_are_averaged():
    waveform = read_audio(encode(np.stack([tone(), np.zeros(4000)], axis=1)))
    assert np.abs(waveform - tone() / 2).max() < 1e-4
    assert probe_audio(encode(np.zeros((10, 3)))).num_channels == 3


@settings(deadline=None, max_examples=30)
@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000]),
    wanted=st.sampled_from([8000, 16000, 24000]),
    num_samples=st.integers(100, 3000),
)
def test_reading_at_a_rate_is_reading_and_resampling(rate, wanted, num_samples):
    content = encode(tone(num_samples, rate), rate)
    native = read_audio(content, rate)
    at_rate = read_audio(content, wanted)
    np.testing.assert_array_equal(at_rate, resample(native, rate, wanted))
    assert abs(len(at_rate) - num_samples * wanted / rate) <= 1
    assert at_rate.dtype == np.float32


@settings(deadline=None, max_examples=40)
@given(
    rates=st.tuples(st.sampled_from([8000, 11025, 12345, 16000, 48000]), st.sampled_from([8000, 16000, 22050])),
    sizes=st.lists(st.integers(0, 700), max_size=6),
)
def test_blocks_are_resampled_as_the_whole_is(rates, sizes):
    waveform = tone(sum(sizes) + 1)
    blocks = np.split(waveform, np.cumsum(sizes))
    joined = join_blocks(resample_blocks(iter(blocks), *rates))
    np.testing.assert_array_equal(joined, resample(waveform, *rates))
    assert joined.dtype == np.float32
    assert joined.flags.writeable


def test_resampling_keeps_a_tone():
    waveform = read_audio(encode(tone(48000, 48000), 48000))
    assert len(waveform) == 16000
    assert np.abs(waveform - tone(16000))[500:-500].max() < 2e-4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Not a recording"),
        (b"this is a text, whatever its name says\n" * 9, "Not a recording"),
        (encode(np.zeros(0)), "is empty"),
        (encode(np.array([0.5, np.nan, 0.1, np.nan]), subtype="FLOAT"), "nan at sample 1, 2 in all"),
        (encode(np.array([0.5, np.inf]), subtype="FLOAT"), "inf at sample 1"),
        (encode(tone())[:3000], "cut short.*1478 of 4000"),
        (encode(tone(), file_format="FLAC")[:1500], "cut short"),
        (encode(tone(), rate=50), "not one of audio"),
    ],
    # Names of their own, because float files hold the second they were made in.
    ids=["empty", "text", "no samples", "nan", "inf", "cut wav", "cut flac", "slow rate"],
)
def test_bad_files_are_named_with_a_mend(tmp_path, content, sentence):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=sentence) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)
    assert caught.value.mend
    with pytest.raises(AudioError, match="the given bytes"):
        read_audio(content)


def test_a_wav_from_a_pipe_has_no_length_and_is_read():
    content = bytearray(encode(tone()))
    content[4:8] = content[40:44] = b"\xff" * 4
    assert len(read_audio(bytes(content))) == 4000


def test_missing_files_and_folders_are_named(tmp_path):
    for function in (read_audio, probe_audio):
        with pytest.raises(AudioError, match=r"No such recording in .*gone"):
            function(tmp_path / "gone.wav")
        with pytest.raises(AudioError, match="is a folder"):
            function(str(tmp_path))


def test_suffixes_of_headerless_formats_are_no_traceback(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"abc" * 100)
    with pytest.raises(AudioError, match="Not a recording"):
        read_audio(tmp_path / "a.raw")


def test_g722_holds_two_samples_a_byte(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "prompt.g722"
    with av.open(str(path), "w", format="g722") as container:
        stream = container.add_stream("g722", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray((tone(8000) * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = 16000
        for part in (frame, None):
            container.mux(stream.encode(part))
    num_bytes = path.stat().st_size
    waveform = read_audio(path)
    assert len(waveform) == 2 * num_bytes == probe_audio(path).num_samples
    assert abs(num_bytes - 4000) <= 200
    spectrum = np.abs(np.fft.rfft(waveform))
    assert abs(spectrum.argmax() * 16000 / len(waveform) - 440) < 5
    assert 0.25 < np.abs(waveform).max() < 0.35
    assert len(read_audio(str(path), 8000)) == num_bytes
    for content, samples in ((b"\x55", 2), (bytes(range(256)), 512)):
        path.write_bytes(content)
        assert len(read_audio(path)) == samples
    path.write_bytes(b"")
    with pytest.raises(AudioError, match="empty"):
        read_audio(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.m4a", "aac"), ("a.webm", "libopus")])
def test_containers_are_read(tmp_path, name, codec):
    path = encode_container(tmp_path / name, codec, tone(24000, 48000), 48000)
    waveform = read_audio(path)
    assert abs(len(waveform) - 8000) < 800  # codecs add silence
    assert abs(np.abs(np.fft.rfft(waveform)).argmax() * 16000 / len(waveform) - 440) < 5
    info = probe_audio(path)
    assert (info.sampling_rate, info.num_channels) == (48000, 1)
    np.testing.assert_array_equal(read_audio(path.read_bytes()), waveform)
    with pytest.raises(AudioError, match="Not a recording"):
        read_audio(path.read_bytes()[:200])


def test_a_container_without_sound_is_told(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")
        for part in (frame, None):
            container.mux(stream.encode(part))
    with pytest.raises(AudioError, match="no audio track"):
        read_audio(tmp_path / "a.mp4")


def test_playlists_open_no_other_file(tmp_path):
    write_audio(tmp_path / "a.wav", tone())
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\na.wav\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile a.wav\n")
    for name in ("list.m3u8", "list.ffconcat"):
        with pytest.raises(AudioError, match="Not a recording"):
            read_audio(tmp_path / name)


def test_without_pyav_the_extra_is_named(tmp_path, without_av):
    (tmp_path / "a.g722").write_bytes(b"abc")
    (tmp_path / "a.mp4").write_bytes(b"abc" * 100)
    for name in ("a.g722", "a.mp4"):
        with pytest.raises(AudioError, match=r"pip install sprachbund\[containers\]"):
            read_audio(tmp_path / name)
    assert probe_audio(tmp_path / "a.g722").num_samples == 6
    assert len(read_audio(encode(tone()))) == 4000


def read_or_refuse(content):
    try:
        waveform = read_audio(content)
    except AudioError as error:
        assert str(error)
    else:
        assert len(waveform) > 0
        assert np.isfinite(waveform).all()
    try:
        assert probe_audio(content).sampling_rate > 0
    except AudioError as error:
        assert str(error)


@settings(deadline=None, max_examples=200)
@given(
    content=st.binary(max_size=600), head=st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3"])
)
def test_random_bytes_are_never_a_traceback(content, head):
    read_or_refuse(head + content)


@settings(deadline=None, max_examples=100)
@given(data=st.data(), file_format=st.sampled_from(["WAV", "FLAC", "OGG", "AIFF", "AU"]))
def test_damaged_recordings_are_never_a_traceback(data, file_format):
    content = bytearray(encode(tone(600), file_format=file_format))
    places = st.one_of(st.integers(0, min(80, len(content) - 1)), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(content[: data.draw(st.integers(1, len(content)))]))
