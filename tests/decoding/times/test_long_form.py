import io
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from sprachbund.decoding.ctc.greedy import greedy_ctc
from sprachbund.decoding.search.ctc_prefix import CtcOutput
from sprachbund.decoding.times.chunks import LongFormConfig, iterate_chunks
from sprachbund.decoding.times.ctc_alignment import ctc_word_times
from sprachbund.decoding.times.long_form import LongPart, LongTranscript, iterate_long, transcribe_long
from sprachbund.decoding.times.timestamps import WordTime

RATE = 16_000


@dataclass(frozen=True)
class Heard:
    words: tuple[WordTime, ...]


@dataclass(frozen=True)
class Known:
    """A recording whose samples tell their place, and a recogniser that knows what is said in it where."""

    words: tuple[WordTime, ...]
    num_samples: int

    @property
    def source(self) -> bytes:
        file = io.BytesIO()
        # Float holds every whole number up to 2 ** 24.
        ramp = np.arange(self.num_samples, dtype=np.float32)
        soundfile.write(file, ramp, RATE, format="WAV", subtype="FLOAT")
        return file.getvalue()

    def recognize(self, waveforms):
        return [Heard(tuple(self._hear(int(wave[0]) / RATE, int(wave[-1] + 1) / RATE))) for wave in waveforms]

    def _hear(self, start: float, end: float):
        for word in self.words:
            if start <= word.start and word.end <= end:
                yield WordTime(word.word, word.start - start, word.end - start)
            elif word.start < end and word.end > start:
                yield WordTime("?", max(word.start, start) - start, min(word.end, end) - start)


@st.composite
def known(draw) -> Known:
    """Words of up to 0.6 s with or without pauses, on a grid of milliseconds."""
    words, place = list[WordTime](), 0
    parts = st.tuples(st.integers(0, 900), st.integers(1, 600), st.sampled_from("abcde"))
    for pause, length, word in draw(st.lists(parts, max_size=30)):
        words.append(WordTime(word, (place + pause) / 1000, (place + pause + length) / 1000))
        place += pause + length
    return Known(tuple(words), place * 16 + draw(st.integers(1, 20_000)))


@settings(deadline=None, max_examples=25)
@given(known(), st.floats(1.3, 12.0), st.floats(0.0, 1.0), st.integers(1, 5))
def test_nothing_is_lost_or_said_twice_at_the_seams(recording, seconds, share, at_once):
    # Any overlap from the longest word up to half of a chunk.
    overlap = 0.65 + share * (seconds / 2 - 0.65)
    config = LongFormConfig(kind="windows", chunk_seconds=seconds, overlap_seconds=overlap, at_once=at_once)
    found = transcribe_long(recording.recognize, recording.source, config)
    assert [word.word for word in found.words] == [word.word for word in recording.words]
    for one, truth in zip(found.words, recording.words, strict=True):
        assert abs(one.start - truth.start) < 1e-3
        assert abs(one.end - truth.end) < 1e-3
    assert found.text == " ".join(word.word for word in recording.words)
    assert all(before.end <= after.start for before, after in pairwise(found.parts))


def test_what_fits_into_a_window_is_transcribed_whole():
    recording = Known((WordTime("a", 0.1, 0.5), WordTime("b", 0.5, 0.9)), RATE)
    config = LongFormConfig(kind="windows", chunk_seconds=1.0, overlap_seconds=0.5)
    (part,) = transcribe_long(recording.recognize, recording.source, config).parts
    (alone,) = recording.recognize([np.arange(RATE, dtype=np.float32)])
    assert part == LongPart(0.0, 1.0, alone.words)


def recognizer(seed: int = 0):
    """Greedy CTC of a tiny random model that says much."""
    model, tokenizer = tiny.tiny_model(seed, share_ctc_embeddings=False), tiny.character_tokenizer()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.ctc_head.weight.copy_(2 * torch.randn(model.ctc_head.weight.shape, generator=generator))

    @torch.no_grad()
    def recognize(waveforms):
        batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(wave) for wave in waveforms], batch_first=True)
        memory = model.encode_speech(batch, torch.tensor([len(wave) for wave in waveforms]))
        logits = model.ctc_logits(memory)
        blank = tokenizer.vocabulary.blank_id
        hypotheses = greedy_ctc(logits, memory.lengths, blank=blank, forbidden=range(4))
        return [
            Heard(words)
            for words in ctc_word_times(
                CtcOutput(logits, memory.lengths, tokenizer.vocabulary.blank_id), hypotheses, tokenizer
            )
        ]

    return recognize


def wav(waveform: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def test_chunks_cut_at_pauses_have_the_words_they_have_alone():
    recognize = recognizer()
    silence = np.zeros(RATE, np.float32)
    waveform = np.concatenate([part for seed in range(5) for part in (silence, tiny.tone(9000 + 3001 * seed, seed))])
    config = LongFormConfig(chunk_seconds=2.5, overlap_seconds=1.0, at_once=3)
    found = transcribe_long(recognize, wav(waveform), config)
    chunks = list(iterate_chunks(wav(waveform), config))
    assert len(found.parts) == len(chunks) >= 3
    for part, chunk in zip(found.parts, chunks, strict=True):
        (alone,) = recognize([chunk.waveform])
        assert [word.word for word in part.words] == [word.word for word in alone.words]
        assert part.words
        for one, other in zip(part.words, alone.words, strict=True):
            assert one.start == pytest.approx(chunk.start + other.start)
            assert chunk.start <= one.start <= one.end <= chunk.end + 1e-6


def test_parts_come_before_the_recording_is_read_to_its_end():
    recording = Known((WordTime("a", 0.1, 0.5), WordTime("b", 7.0, 7.5)), 40 * RATE)
    calls = list[int]()

    def counted(waveforms):
        calls.append(len(waveforms))
        return recording.recognize(waveforms)

    config = LongFormConfig(kind="windows", chunk_seconds=2.0, overlap_seconds=1.0, at_once=2)
    parts = iterate_long(counted, recording.source, config)
    assert next(parts).text == "a"
    assert calls == [2]
    assert "b" in " ".join(part.text for part in parts)
    assert len(calls) > 10


def test_a_recording_without_speech_has_no_part():
    found = transcribe_long(recognizer(), wav(np.zeros(3 * RATE, np.float32)))
    assert found == LongTranscript(())
    assert found.text == ""
    assert found.words == ()


HOUR = """
import resource, sys
from dataclasses import dataclass
sys.path.insert(0, sys.argv[2])
from test_long_form import recognizer
from sprachbund.decoding.times.chunks import LongFormConfig
from sprachbund.decoding.times.long_form import iterate_long
parts = list(iterate_long(recognizer(), sys.argv[1], LongFormConfig(kind=sys.argv[3])))
print(parts[-1].end, len(parts), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pauses", "windows"])
def test_an_hour_is_transcribed_in_bounded_memory(tmp_path, kind):
    path = tmp_path / "hour.flac"
    minute = np.concatenate(
        [part for seed in range(12) for part in (np.zeros(RATE, np.float32), tiny.tone(4 * RATE, seed))]
    )
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as sound:
        for _ in range(60):
            sound.write(minute)
    folders = [str(tmp_path), *(entry for entry in sys.path if entry)]
    found = subprocess.run(
        [sys.executable, "-c", HOUR, str(path), str(Path(__file__).parent), kind],
        env={"PYTHONPATH": ":".join(folders), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    end, num_parts, kibibytes = found.stdout.split()
    assert float(end) > 3590
    assert int(num_parts) > 150
    assert int(kibibytes) < 1.5 * 2**20
