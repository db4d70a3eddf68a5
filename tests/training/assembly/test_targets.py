from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from sprachbund.config import from_mapping, merge
from sprachbund.data.batches.crops import LabelledCrops, PlainCrops, ProjectedCrops
from sprachbund.data.batches.masked import ContrastiveCollator, TeacherCollator, UnitCollator
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.models.features import encoder_fingerprint
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.objectives.contrastive import ContrastivePrediction
from sprachbund.objectives.masked_prediction import MaskedPrediction
from sprachbund.objectives.teacher_features import TeacherRegression
from sprachbund.training.assembly.targets import learning_of
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe


def learning(plain: dict[str, Any], changes: dict[str, Any] | None = None) -> Any:
    torch.manual_seed(0)
    return learning_of(from_mapping(EncoderPretrainingRecipe, merge(plain, changes or {}), "test"), print)


def test_units_are_those_of_the_manifests(tmp_path: Path) -> None:
    found = learning(tiny.encoder_recipe(tmp_path))
    assert isinstance(found.objective, MaskedPrediction)
    assert isinstance(found.collator.crops, LabelledCrops)
    assert found.facts["unit_model"] == tiny.unit_model().fingerprint
    tiny.unit_model(seed=1).save(tmp_path / "other")
    with pytest.raises(VocabularyError, match="another unit model"):
        learning(tiny.encoder_recipe(tmp_path), {"targets": {"units": str(tmp_path / "other")}})


def test_a_random_projection_wants_no_labels(tmp_path: Path) -> None:
    targets = {"kind": "random_projection", "codes": 40, "dim": 8, "seed": 5}
    plain = tiny.encoder_recipe(tmp_path, targets)
    plain["speech"]["train"] = [str(tiny.write_corpus(tmp_path / "plain", 4, name="plain"))]
    found = learning(plain, {"speech": {"max_seconds": 0.5}})
    assert isinstance(found.objective, MaskedPrediction)
    assert isinstance(found.collator, UnitCollator)
    crops = found.collator.crops
    assert isinstance(crops, ProjectedCrops)
    assert (crops.max_samples, crops.projection.codebook.shape) == (8_000, (40, 8))
    assert (found.model.config.num_units, found.model.config.unit_rate) == (44, 50.0)
    assert found.facts == {"num_units": 40, "projection_dim": 8, "projection_seed": 5}
    batch = found.collator(list(found.cuts), 0)
    assert batch.units.shape == batch.time_mask.shape
    assert set(found.objective.counts(batch)) == {"masked_units", "feature_penalty"}


def test_the_contrastive_task_gives_the_model_a_head(tmp_path: Path) -> None:
    plain = tiny.encoder_recipe(tmp_path, {"kind": "contrastive", "distractors": 7, "diversity_weight": 0.3})
    found = learning(plain, {"model": {"changes": {"contrastive": {"code_dim": 8, "dim": 6}}}})
    assert isinstance(found.objective, ContrastivePrediction)
    assert found.objective.diversity_weight == 0.3
    assert isinstance(found.collator, ContrastiveCollator)
    assert found.collator.num_distractors == 7
    assert found.model.config.contrastive == ContrastiveHeadConfig(code_dim=8, dim=6)
    assert (found.model.config.num_units, found.facts) == (None, {"distractors": 7})


def test_a_teacher_is_read_from_its_folder(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "teacher", 4, is_normalized=True)
    found = learning(tiny.encoder_recipe(tmp_path, {"kind": "teacher", "model": str(folder), "layer": 2}))
    assert isinstance(found.objective, TeacherRegression)
    assert isinstance(found.collator, TeacherCollator)
    assert isinstance(found.collator.crops, PlainCrops)
    assert (found.collator.teacher_is_normalized, found.collator.is_normalized) == (True, False)
    assert found.objective.teacher.layer == 2
    expected = tiny.hubert_model(4, is_normalized=True)
    assert found.facts == {"teacher": encoder_fingerprint(expected), "teacher_layer": 2}
    # A model of another kind teaches as well.
    other = tiny.write_model_folder(tmp_path / "speecht5")
    learning(tiny.encoder_recipe(tmp_path, {"kind": "teacher", "model": str(other), "layer": 0}))
    with pytest.raises(RecipeError, match="no such layer"):
        learning(tiny.encoder_recipe(tmp_path, {"kind": "teacher", "model": str(other), "layer": 9}))


@pytest.mark.parametrize("key", ["num_units", "unit_rate", "vocab_size"])
def test_what_follows_from_the_targets_is_no_choice(tmp_path: Path, key: str) -> None:
    with pytest.raises(RecipeError, match="follow from the targets") as caught:
        learning(tiny.encoder_recipe(tmp_path), {"model": {"changes": {key: 3}}})
    assert key in str(caught.value)


def test_heads_of_other_targets_are_left_behind(tmp_path: Path) -> None:
    head = ContrastiveHeadConfig(groups=1, codes_per_group=4, code_dim=4, dim=4)
    folder = tiny.write_hubert_folder(tmp_path / "model", 4, num_units=None, contrastive=head)
    plain = tiny.encoder_recipe(tmp_path) | {"init": str(folder), "model": {"size": "tiny"}}
    found = learning(plain)
    assert found.model.contrastive_head is None
    assert found.model.config.num_units == tiny.NUM_UNITS + 4
