import io
import math
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.decoding.times.chunks import LongFormConfig, iterate_chunks
from sprachbund.errors import AudioError, RecipeError
from sprachbund.signal.voice_activity import PADDING

RATE = 16_000


def content(waveform: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def spoken(seconds: list[tuple[float, float]]) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Tones after pauses over a little noise, and when they sound."""
    waves, times, place = [], [], 0.0
    for number, (pause, length) in enumerate(seconds):
        waves += [np.zeros(round(pause * RATE), np.float32), tiny.tone(round(length * RATE), number)]
        times.append((place + pause, place + pause + length))
        place += pause + length
    waveform = np.concatenate([*waves, np.zeros(RATE // 2, np.float32)])
    noise = np.random.default_rng(0).standard_normal(len(waveform)) * 1e-4
    return (waveform + noise).astype(np.float32), times


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 100_000), st.floats(1.0, 3.0), st.floats(0.0, 0.5))
def test_windows_hold_all_of_the_recording_and_overlap_as_told(num_samples, seconds, share):
    waveform = tiny.tone(num_samples, 3)
    config = LongFormConfig(kind="windows", chunk_seconds=seconds, overlap_seconds=share * seconds)
    chunks = list(iterate_chunks(content(waveform), config))
    size, overlap = round(seconds * RATE), round(share * seconds * RATE)
    assert all(len(chunk.waveform) == size for chunk in chunks[:-1])
    assert all(after.first == before.first + size - overlap for before, after in pairwise(chunks))
    assert 0 < len(chunks[-1].waveform) <= size
    for chunk in chunks:
        end = chunk.first + len(chunk.waveform)
        np.testing.assert_array_equal(chunk.waveform, waveform[chunk.first : end])
    # The last one ends with the recording, and no chunk but the last reaches its end.
    assert chunks[-1].first + len(chunks[-1].waveform) == num_samples
    assert all(chunk.first + size < num_samples for chunk in chunks[:-1])


pauses = st.lists(st.tuples(st.floats(0.5, 4.0), st.floats(0.4, 5.0)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=12)
@given(pauses, st.floats(2.0, 8.0))
def test_between_pauses_all_speech_is_in_a_chunk_and_no_chunk_is_too_long(seconds, longest):
    waveform, times = spoken(seconds)
    config = LongFormConfig(chunk_seconds=longest, overlap_seconds=1.0)
    chunks = list(iterate_chunks(content(waveform), config))
    covered = np.zeros(len(waveform), dtype=bool)
    for chunk in chunks:
        end = chunk.first + len(chunk.waveform)
        covered[chunk.first : end] = True
        np.testing.assert_array_equal(chunk.waveform, waveform[chunk.first : end])
    assert all(covered[round(start * RATE) : round(end * RATE)].all() for start, end in times)
    assert all(chunk.end - chunk.start <= longest + 1e-3 for chunk in chunks)
    # A chunk overlaps the next one at most, and brings something new.
    assert all(before.end < after.end for before, after in pairwise(chunks))
    assert all(chunks[place].end <= chunks[place + 2].start for place in range(len(chunks) - 2))
    # Only within speech that is longer than a chunk.
    for before, after in pairwise(chunks):
        if after.start < before.end:
            assert any(start <= after.start and end - start > longest - 2 for start, end in times)


def test_speech_without_a_pause_is_cut_into_chunks_that_overlap():
    waveform, ((start, end),) = spoken([(1.0, 9.0)])
    chunks = list(iterate_chunks(content(waveform), LongFormConfig(chunk_seconds=4.0, overlap_seconds=1.0)))
    assert len(chunks) == 3
    assert [before.end - after.start for before, after in pairwise(chunks)] == pytest.approx([1.0, 1.0])
    assert chunks[0].start < start < end < chunks[-1].end


def test_what_a_chunk_has_heard_to_its_end_makes_no_other_one():
    # The speech ends about where the longest chunk does.
    for hundredths in range(350, 400, 4):
        waveform, _ = spoken([(1.0, hundredths / 100)])
        chunks = list(iterate_chunks(content(waveform), LongFormConfig(chunk_seconds=4.0, overlap_seconds=1.0)))
        assert all(before.end < after.end for before, after in pairwise(chunks))


@pytest.mark.parametrize(("num_samples", "num_chunks"), [(32_000, 1), (32_001, 2), (56_000, 2), (56_001, 3)])
def test_a_window_begins_only_where_there_is_news(num_samples, num_chunks):
    config = LongFormConfig(kind="windows", chunk_seconds=2.0, overlap_seconds=0.5)
    assert len(list(iterate_chunks(content(tiny.tone(num_samples)), config))) == num_chunks


def test_speech_is_taken_whole_as_long_as_it_fits():
    waveform, times = spoken([(3.0, 1.0), (0.6, 1.0), (0.6, 3.0), (20.0, 1.0)])
    chunks = list(iterate_chunks(content(waveform), LongFormConfig(chunk_seconds=4.0, overlap_seconds=1.0)))
    wanted = [(times[0][0], times[1][1]), times[2], times[3]]
    assert len(chunks) == 3
    for chunk, (start, end) in zip(chunks, wanted, strict=True):
        assert start - 2 * PADDING < chunk.start < start
        assert end < chunk.end < end + 2 * PADDING


def test_recordings_without_speech_have_windows_but_no_chunks_between_pauses():
    silence = np.zeros(5 * RATE, np.float32)
    noise = (1e-2 * np.random.default_rng(1).standard_normal(5 * RATE)).astype(np.float32)
    for waveform in (silence, noise, silence[:1]):
        assert list(iterate_chunks(content(waveform), LongFormConfig(chunk_seconds=2.0, overlap_seconds=1.0))) == []
        assert list(iterate_chunks(content(waveform), LongFormConfig(kind="windows"))) != []


def test_an_empty_recording_is_refused():
    for kind in ("pauses", "windows"):
        with pytest.raises(AudioError, match="empty"):
            list(iterate_chunks(content(np.zeros(0, np.float32)), LongFormConfig(kind=kind)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chunk_seconds": 0.5}, "no such length"),
        ({"chunk_seconds": math.nan}, "no such length"),
        ({"chunk_seconds": math.inf}, "no such length"),
        ({"overlap_seconds": 10.5}, "cannot overlap"),
        ({"overlap_seconds": -1.0}, "cannot overlap"),
        ({"at_once": 0}, "too small"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(RecipeError, match=message):
        LongFormConfig(**wrong)


@pytest.mark.parametrize("name", ["kind", "detector"])
def test_an_unknown_way_or_detector_is_refused(name):
    """By the configuration itself, as nothing checks annotations outside of tests."""
    config = object.__new__(LongFormConfig)
    object.__setattr__(config, name, "guess")
    with pytest.raises(RecipeError, match=r"no such .*guess.*Known are"):
        config.__post_init__()
