from pathlib import Path
from typing import Any

import pytest

import tiny
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import AudioError, DataError
from sprachbund.serving.manifests import decode_cuts


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(tiny.tiny_model(2, share_ctc_embeddings=False), tiny.character_tokenizer())


@pytest.fixture(scope="module")
def cuts(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return list(read_cuts(tiny.write_corpus(tmp_path_factory.mktemp("corpus"), samples=(9000, 16_000, 6000, 390))))


def test_hypotheses_stand_beside_their_references(recognizer: Recognizer, cuts: list[Any]):
    decoded = decode_cuts(recognizer, cuts, DecodingConfig())
    alone = recognizer.transcribe_many([cut.recording.sources[0].source for cut in cuts])
    assert decoded.ids == ("clip-000", "clip-001", "clip-002", "clip-003")
    assert decoded.references == tiny.TEXTS[:4]
    assert decoded.hypotheses == tuple(transcript.text for transcript in alone)
    assert len(set(decoded.hypotheses)) > 1
    assert decoded.audio_seconds == pytest.approx(31_390 / 16_000)
    assert decoded.decoding_seconds > 0
    frames = sum(transcript.num_frames for transcript in alone)
    blanks = sum(transcript.blank_rate * transcript.num_frames for transcript in alone)
    assert decoded.blank_rate == pytest.approx(blanks / frames)


@pytest.mark.parametrize("at_once", [1, 3])
def test_how_many_are_in_memory_changes_nothing(recognizer: Recognizer, cuts: list[Any], at_once: int):
    few, all_ = (decode_cuts(recognizer, cuts, DecodingConfig(), at_once=each) for each in (at_once, 256))
    assert (few.ids, few.references, few.hypotheses) == (all_.ids, all_.references, all_.hypotheses)
    assert few.blank_rate == pytest.approx(all_.blank_rate)


def test_a_part_of_a_recording_is_decoded_alone(recognizer: Recognizer, cuts: list[Any]):
    part = cuts[1].truncate(offset=0.25, duration=0.5)
    decoded = decode_cuts(recognizer, [part], DecodingConfig())
    (wanted,) = recognizer.transcribe_waveforms([tiny.tone(16_000, 1)[4000:12_000]])
    assert decoded.hypotheses == (wanted.text,)
    assert decoded.audio_seconds == 0.5


def test_nothing_to_decode(recognizer: Recognizer):
    decoded = decode_cuts(recognizer, [], DecodingConfig())
    assert (decoded.ids, decoded.blank_rate, decoded.audio_seconds) == ((), 0.0, 0.0)


def test_cuts_without_transcript_or_recording_are_refused(recognizer: Recognizer, tmp_path: Path):
    silent = list(read_cuts(tiny.write_corpus(tmp_path, 1, texts=False)))
    with pytest.raises(DataError, match=r"exactly one transcript in cut clip-000.*0 transcripts"):
        decode_cuts(recognizer, silent, DecodingConfig())
    said = list(read_cuts(tiny.write_corpus(tmp_path / "other", 1)))
    (tmp_path / "other" / "audio" / "clip-000.wav").unlink()
    with pytest.raises(AudioError, match=r"clip-000.wav"):
        decode_cuts(recognizer, said, DecodingConfig())
