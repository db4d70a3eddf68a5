from pathlib import Path

import pytest
import torch

import speech_units
import tiny
from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import to_mapping
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.speecht5.config import SpeechT5Config
from sprachbund.models.table import MODELS
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.training.assembly.initial import adapted, encoder_of, sized, without_units
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


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_what_a_model_has_is_kept_and_the_rest_begins_anew(kind: str) -> None:
    """A decoder, which SpeechLM gains; nothing else may be missing."""
    tokenizer = tiny.character_tokenizer()
    config = speech_units.tiny_config(kind, len(tokenizer.vocabulary), tiny.NUM_UNITS + 4)
    weights = MODELS[kind][1](config).state_dict()
    stored, told = StoredModel(kind, to_mapping(config), weights, tokenizer), list[str]()
    wanted = without_units(stored.config) | {"decoder": to_mapping(config.encoder)}
    assert (wanted["num_units"], wanted.get("num_top_units")) == (None, None)
    after = adapted(stored, wanted, tokenizer, Path("folder"), told.append).state_dict()
    new = after.keys() - weights.keys()
    assert {name.partition(".")[0] for name in new} == (
        {"decoder", "text_decoder_prenet", "text_head"} if kind == "speechlm" else set()
    )
    assert (told == []) == (kind == "speechut")
    assert all(torch.equal(after[name], weights[name]) for name in after.keys() - new)
    with pytest.raises(CheckpointError, match="do not fit"):
        adapted(stored, wanted | {"position_kernel": 8}, tokenizer, Path("folder"), told.append)
    larger = {**wanted, "encoder": {**wanted["encoder"], "num_layers": 2}}
    with pytest.raises(CheckpointError, match="do not fit"):
        adapted(stored, larger, tokenizer, Path("folder"), told.append)


def test_rows_of_another_vocabulary_are_not_taken_for_those_of_this_one() -> None:
    """Also where both have as many symbols."""
    one, other = CharacterTokenizer.train(["abc"]), CharacterTokenizer.train(["xyz"])
    config = speech_units.tiny_config("speechut", len(one.vocabulary), None)
    weights = MODELS["speechut"][1](config).state_dict()
    stored = StoredModel("speechut", to_mapping(config), weights, one)
    after = adapted(stored, stored.config, other, Path("folder"), lambda _: None).state_dict()
    changed = {name for name in after if not torch.equal(after[name], weights[name])}
    assert {"text_head.weight", "text_decoder_prenet.embedding.weight", "ctc_head.projection.weight"} <= changed
    assert all(name.startswith(("text_head.", "text_decoder_prenet.", "ctc_head.projection.")) for name in changed)
