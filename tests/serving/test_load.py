from pathlib import Path

import pytest

import sprachbund
import tiny
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import CheckpointError
from sprachbund.serving.load import load
from sprachbund.signal.audio import write_audio


def test_a_model_folder_transcribes_as_the_model_it_was_saved_from(tmp_path: Path):
    folder = tiny.write_model_folder(tmp_path / "model")
    write_audio(tmp_path / "clip.wav", tiny.tone(9000))
    there = Recognizer(tiny.tiny_model(), tiny.character_tokenizer())
    for name in (folder, str(folder)):
        loaded = load(name)
        assert isinstance(loaded, sprachbund.Recognizer)
        assert loaded.transcribe_many([tmp_path / "clip.wav"]) == there.transcribe_many([tmp_path / "clip.wav"])
    assert sprachbund.load is load


def test_an_unsound_folder_is_refused(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"not a model folder in .*nowhere"):
        load(tmp_path / "nowhere")


def test_an_encoder_with_a_ctc_head_transcribes_and_one_without_does_not(tmp_path: Path):
    vocabulary = tiny.character_tokenizer().vocabulary
    tuned = tiny.write_hubert_folder(tmp_path / "tuned", num_units=None, vocab_size=len(vocabulary))
    write_audio(tmp_path / "clip.wav", tiny.tone(9000))
    assert isinstance(load(tuned).transcribe(tmp_path / "clip.wav"), str)
    with pytest.raises(CheckpointError, match="does not transcribe") as caught:
        load(tiny.write_hubert_folder(tmp_path / "pretrained"))
    assert "encoder pretraining" in str(caught.value)
    assert "sprachbund finetune" in str(caught.value)
