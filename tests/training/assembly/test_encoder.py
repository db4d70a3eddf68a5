from pathlib import Path

import torch

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.data.batches.batch import UnitBatch
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masked import UnitCollator
from sprachbund.models.hubert.model import Hubert
from sprachbund.objectives.masked_prediction import MaskedPrediction
from training.assembly.building import build, ids


def test_the_parts_of_encoder_pretraining(tmp_path: Path) -> None:
    plain = tiny.encoder_recipe(tmp_path)
    assembly, told = build(plain, {"masking": {"time": 0.65}})
    assert isinstance(assembly.objective, MaskedPrediction)
    assert isinstance(assembly.model, Hubert)
    config = assembly.model.config
    assert (config.num_units, config.unit_rate, config.vocab_size) == (tiny.NUM_UNITS + 4, 100.0, None)
    assert list(assembly.streams) == list(assembly.collators) == ["speech"]
    assert ids(assembly.streams["speech"]) == {f"train-{number:03d}" for number in range(8)}
    collator = assembly.collators["speech"]
    assert isinstance(collator, UnitCollator)
    assert isinstance(collator.crops, LabelledCrops)
    assert (collator.crops.max_samples, collator.crops.label_rate) == (249_600, 100)
    assert (collator.masking.probability, collator.masking.length, collator.masking.min_masks) == (0.65, 10, 2)
    assert (collator.seed, collator.channel_masking, collator.num_channels) == (3, None, 32)
    [micro] = assembly.held_out
    assert isinstance(micro["speech"], UnitBatch)
    assert micro["speech"].ids == ("valid-000", "valid-001")
    assert assembly.facts == {
        "stage": "encoder pretraining",
        "init": None,
        "targets": "units",
        "unit_model": tiny.unit_model().fingerprint,
        "unit_feature": "mfcc",
        "num_units": tiny.NUM_UNITS,
    }
    assert told == ""


def test_only_training_clips_are_distorted(tmp_path: Path) -> None:
    plain = tiny.encoder_recipe(tmp_path)
    quiet, _ = build(plain)
    noisy, told = build(plain, {"augmentation": {"babble": {"probability": 1.0}}})
    collator = noisy.collators["speech"]
    assert isinstance(collator, UnitCollator)
    assert collator.augmenter is not None
    for micro, other in zip(quiet.held_out, noisy.held_out, strict=True):
        assert tiny.differences(micro["speech"], other["speech"]) == []
    assert "8 clips name no speaker" in told


def test_it_goes_on_from_a_folder(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model", 9)
    plain = tiny.encoder_recipe(tmp_path) | {"init": str(folder), "model": {"size": "tiny"}}
    assembly, _ = build(plain)
    after, before = assembly.model.state_dict(), load_model(folder).weights
    assert torch.equal(
        after["encoder.layers.0.attention_norm.weight"], before["encoder.layers.0.attention_norm.weight"]
    )
    assert torch.equal(after["speech_prenet.projection.weight"], before["speech_prenet.projection.weight"])
    assert assembly.facts["init"] == str(folder)
