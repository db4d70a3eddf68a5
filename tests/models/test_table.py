import resource
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from models.hubert.sizes import small_config as hubert_config
from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.config import to_mapping
from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.models.table import (
    MODELS,
    build_any,
    build_language_model,
    build_model,
    build_text_model,
    check_weights,
    kind_of,
)
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.tokens.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredModel:
    return load_model(tiny.write_model_folder(tmp_path_factory.mktemp("table") / "model"))


def with_config(stored: StoredModel, **values: Any) -> StoredModel:
    return replace(stored, config={**stored.config, **values})


def test_the_model_computes_what_the_saved_one_did(stored: StoredModel):
    built, model = build_model(stored, "here"), tiny.tiny_model()
    assert not built.training
    assert built.config == model.config
    waveforms, lengths = torch.from_numpy(tiny.tone(8000))[None], torch.tensor([8000])
    with torch.no_grad():
        ours = built.ctc_logits(built.encode_speech(waveforms, lengths))
        theirs = model.ctc_logits(model.encode_speech(waveforms, lengths))
    assert torch.equal(ours, theirs)


def test_tied_weights_are_tied_again(stored: StoredModel):
    model = build_model(stored, "here")
    assert model.text_head.weight is model.text_prenet.embedding.weight
    assert model.text_decoder_prenet.embedding is model.text_prenet.embedding


def test_every_kind_has_a_config_and_a_model():
    for name, (config_class, model_class) in MODELS.items():
        assert config_class.__name__ == f"{model_class.__name__.removesuffix('Model')}Config", name


def test_models_of_speech_and_of_text_are_told_apart(stored: StoredModel):
    vocabulary = Vocabulary("abcde")
    config = SequenceConfig.tiny(len(vocabulary), 9)
    text = StoredModel("sequence", to_mapping(config), SequenceModel(config).state_dict(), SymbolTokenizer(vocabulary))
    assert kind_of(build_text_model(text, "here")) == kind_of(build_any(text, "here")) == "sequence"
    assert kind_of(build_any(stored, "here")) == "speecht5"
    with pytest.raises(CheckpointError, match=r"reads text, and one of speech is wanted in here \(given: sequence"):
        build_model(text, "here")
    with pytest.raises(CheckpointError, match=r"reads speech, and one of text is wanted in here \(given: speecht5\)"):
        build_text_model(stored, "here")
    with pytest.raises(CheckpointError, match="the vocabulary does not match the weights"):
        build_text_model(replace(text, tokenizer=SymbolTokenizer(Vocabulary(("a",)))), "here")


def test_a_language_model_is_neither(stored: StoredModel):
    vocabulary = Vocabulary("abcde")
    config = TransformerLanguageConfig.tiny(len(vocabulary))
    weights = TransformerLanguageModel(config).state_dict()
    model = StoredModel("language_model", to_mapping(config), weights, SymbolTokenizer(vocabulary))
    built = build_language_model(model, "here")
    assert built.head.weight is built.prenet.embedding.weight
    assert not built.training
    with pytest.raises(CheckpointError, match=r"one of sources is wanted in here \(given: language_model\)"):
        build_text_model(model, "here")
    with pytest.raises(CheckpointError, match=r"one of speech is wanted in here \(given: language_model"):
        build_model(model, "here")
    with pytest.raises(CheckpointError, match=r"this is no language model in here \(given: speecht5\)"):
        build_language_model(stored, "here")


def stored_hubert(vocab_size: int | None) -> StoredModel:
    config = hubert_config(vocab_size=vocab_size)
    return StoredModel("hubert", to_mapping(config), Hubert(config).state_dict(), None)


def test_a_model_knows_its_kind():
    assert kind_of(build_model(stored_hubert(None), "here")) == "hubert"
    assert kind_of(tiny.tiny_model()) == "speecht5"


def test_text_and_a_tokenizer_come_together():
    told = "vocabulary does not match the weights in here"
    with pytest.raises(CheckpointError, match=rf"{told} \(given: no symbols, the model has 7\)"):
        build_model(stored_hubert(7), "here")
    tokenizer = CharacterTokenizer.train(["abcd"])
    with pytest.raises(
        CheckpointError, match=rf"{told} \(given: {len(tokenizer.vocabulary)} symbols, the model has none"
    ):
        build_model(replace(stored_hubert(None), tokenizer=tokenizer), "here")


def test_an_unknown_kind_names_the_nearest(stored: StoredModel):
    with pytest.raises(CheckpointError, match=r"unknown kind of model in here.*speeht5.*Did you mean 'speecht5'"):
        build_model(replace(stored, kind="speeht5"), "here")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"vocab_sise": 3}, "vocab_sise.*Did you mean 'vocab_size'"),
        ({"vocab_size": "many"}, "value of 'vocab_size' cannot be used"),
        ({"codebook_groups": 7}, "codebook_groups"),
        ({"encoder": {"dim": 33, "num_heads": 2}}, "num_heads"),
        ({"conv_layers": []}, "no model can be built from this configuration.*Put back"),
        ({"mel_prenet_dim": -3}, "value of 'mel_prenet_dim' cannot be used.*Put back"),
        ({"codebook_groups": 0}, "configuration"),
    ],
)
def test_a_configuration_that_no_model_has(stored: StoredModel, values: dict[str, Any], told: str):
    with pytest.raises(CheckpointError, match=told):
        build_model(with_config(stored, **values), "here")


def test_a_vocabulary_of_another_size(stored: StoredModel):
    other = CharacterTokenizer.train(["other letters"])
    with pytest.raises(CheckpointError, match=r"vocabulary does not match the weights in here.*symbols.*Put back"):
        build_model(replace(stored, tokenizer=other), "here")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"unit_dim": 8},
            r"3 weights do not fit .*first of them unit_predictor\S+ in here.*16\).*wants \(.*8\)",
        ),
        ({"num_speakers": 3}, r"weights do not fit .*given: missing, the model wants \("),
        ({"has_unit_prediction": False}, r"weights do not fit .*wants none"),
    ],
)
def test_weights_of_another_model(stored: StoredModel, config: dict[str, Any], told: str):
    with pytest.raises(CheckpointError, match=told):
        build_model(with_config(stored, **config), "here")


def test_weights_are_compared_name_for_name_and_shape_for_shape():
    linear = torch.nn.Linear(2, 3)
    check_weights(linear, linear.state_dict(), "here")
    with pytest.raises(CheckpointError, match=r"1 weights do not fit the model, first of them bias"):
        check_weights(linear, {"weight": torch.ones(3, 2), "bias": torch.ones(2)}, "here")


@pytest.mark.parametrize("sizes", [{"mel_prenet_dim": 1 << 20, "unit_dim": 1 << 20}, {"mel_prenet_layers": 900}])
def test_sizes_that_the_weights_do_not_have_ask_for_no_memory(stored: StoredModel, sizes: dict[str, int]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match="weights do not fit the model"):
        build_model(with_config(stored, **sizes), "here")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_moved_folder_builds_the_same_model(stored: StoredModel, tmp_path: Path):
    moved = tiny.write_model_folder(tmp_path / "a").rename(tmp_path / "b")
    ours, theirs = build_model(load_model(moved), "b").state_dict(), build_model(stored, "a").state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
