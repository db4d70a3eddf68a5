from pathlib import Path

import pytest

import tiny
from sprachbund.data.batches.collate import (
    SpeechCollator,
    TextCollator,
)
from sprachbund.data.streams import CutStream
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.tokens.units import UnitModel
from training.assembly.building import build, ids


def test_the_parts_of_pretraining(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    assembly, told = build(plain)
    assert isinstance(assembly.objective, JointPretraining)
    assert assembly.objective.model is assembly.model
    config, vocabulary = assembly.model.config, tiny.character_tokenizer().vocabulary
    assert (config.vocab_size, config.num_units) == (len(vocabulary), tiny.NUM_UNITS + 4)
    assert (config.unit_rate, config.encoder.dim) == (100.0, 32)
    assert list(assembly.streams) == list(assembly.collators) == ["speech", "text"]
    assert ids(assembly.streams["speech"]) == {f"train-{number:03d}" for number in range(8)}
    stream = assembly.streams["speech"]
    assert isinstance(stream, CutStream)
    assert (stream.batch_seconds, stream.crop_seconds, stream.num_buckets, stream.seed) == (3.0, 15.6, 2, 3)
    speech, text = assembly.collators["speech"], assembly.collators["text"]
    assert isinstance(speech, SpeechCollator)
    assert (speech.crops.max_samples, speech.speaker_dim, speech.is_normalized) == (249_600, tiny.SPEAKER_DIM, False)
    assert (speech.masking.probability, speech.masking.length, speech.masking.min_masks) == (0.8, 10, 2)
    assert isinstance(text, TextCollator)
    assert text.noise.mask_id == vocabulary.mask_id
    assert text.noise.vocabulary_size == vocabulary.mask_id  # random tokens are neither the mask nor the blank
    assert (text.noise.mask_ratio, text.noise.random_ratio, text.noise.poisson_rate) == (0.3, 0.1, 3.5)
    assert {speech.seed, text.seed} == {plain["run"]["seed"]}
    assert [list(micro) for micro in assembly.held_out] == [["speech"]]
    assert assembly.held_out_cuts == ()
    assert assembly.facts["unit_model"] == tiny.unit_model().fingerprint
    assert "8 clips bring no speaker vector" in told


def test_one_stream_may_be_left_out(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    text_only, told = build(plain, {"speech": None})
    assert list(text_only.streams) == list(text_only.collators) == ["text"]
    assert text_only.held_out == []
    assert told == ""
    speech_only, _ = build(plain, {"text": None})
    assert list(speech_only.streams) == ["speech"]


def test_changes_of_a_model_are_checked(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    with pytest.raises(RecipeError, match="Did you mean 'dropout'"):
        build(plain, {"model": {"changes": {"dropuot": 0.1}}})


def test_units_of_another_model_are_refused(tmp_path: Path) -> None:
    plain = tiny.pretraining_recipe(tmp_path)
    other: UnitModel = tiny.unit_model(seed=1)
    other.save(tmp_path / "other")
    with pytest.raises(VocabularyError, match="another unit model"):
        build(plain, {"units": str(tmp_path / "other")})
