from pathlib import Path

import pytest
import torch

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.training.assembly.initial import encoder_of, sized
from sprachbund.training.choices import ModelChoice


def test_a_size_is_changed_by_the_recipe() -> None:
    choice = ModelChoice(size="tiny", changes={"dropout": 0.3, "encoder": {"num_layers": 2}})
    config = sized(HubertConfig, choice, num_units=14)
    expected = HubertConfig.tiny(14)
    assert (config.dropout, config.encoder.num_layers, config.num_units) == (0.3, 2, 14)
    assert config.encoder.dim == expected.encoder.dim
    assert sized(SpeechT5Config, ModelChoice(size="tiny"), vocab_size=30, num_units=14) == SpeechT5Config.tiny(30, 14)
    with pytest.raises(RecipeError, match="Did you mean 'dropout'"):
        sized(HubertConfig, ModelChoice(size="tiny", changes={"dropuot": 0.1}), num_units=14)


def test_an_encoder_begins_with_the_weights_of_a_folder_and_new_heads(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model", 3)
    stored = load_model(folder)
    model = encoder_of(stored, folder, ModelChoice(changes={"dropout": 0.0}), None, num_units=9, unit_rate=50.0)
    assert (model.config.num_units, model.config.unit_rate, model.config.dropout) == (9, 50.0, 0.0)
    after = model.state_dict()
    same = {name for name in after if torch.equal(after[name], stored.weights[name])}
    assert {name for name in after if name not in same} == {
        "unit_predictor.projection.weight",
        "unit_predictor.embeddings",
    } | ({"unit_predictor.projection.bias"} - same)
    assert after["unit_predictor.embeddings"].shape[0] == 9


def test_heads_may_come_and_go(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model", 3)
    head = ContrastiveHeadConfig(groups=1, codes_per_group=4, code_dim=4, dim=4)
    model = encoder_of(load_model(folder), folder, ModelChoice(), None, num_units=None, contrastive=head)
    assert model.unit_predictor is None
    assert model.contrastive_head is not None
    assert model.contrastive_head.config == head


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    folder = tiny.write_model_folder(tmp_path / "model")
    with pytest.raises(CheckpointError, match="not an encoder alone") as caught:
        encoder_of(load_model(folder), folder, ModelChoice(), None, num_units=None)
    assert "speecht5" in str(caught.value)


def test_sizes_that_the_weights_do_not_have_are_refused(tmp_path: Path) -> None:
    folder = tiny.write_hubert_folder(tmp_path / "model")
    choice = ModelChoice(changes={"encoder": {"ffn_dim": 48}})
    with pytest.raises(CheckpointError, match="do not fit the model"):
        encoder_of(load_model(folder), folder, choice, None, num_units=None)
