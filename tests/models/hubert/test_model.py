from pathlib import Path

import pytest
import torch

import tiny
from models.hubert.sizes import KINDS, NUM_UNITS, VOCAB_SIZE, build, small_config
from sprachbund.checkpoints.store import StoredModel, load_model, save_model
from sprachbund.config import to_mapping
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.table import build_model


@pytest.mark.parametrize(("size", "millions"), [("base", 95), ("large", 317)])
def test_named_sizes_are_as_large_as_published(size: str, millions: int):
    with torch.device("meta"):
        model = Hubert(getattr(HubertConfig, size)())
    assert round(sum(weight.numel() for weight in model.parameters()) / 1e6) == millions


def test_heads_are_there_where_the_configuration_has_them():
    both, neither = build(), build(num_units=None, vocab_size=None)
    assert (neither.unit_predictor, neither.ctc_head) == (None, None)
    extra = both.state_dict().keys() - neither.state_dict().keys()
    assert {name.split(".")[0] for name in extra} == {"unit_predictor", "ctc_head"}
    waveforms, lengths = torch.from_numpy(tiny.tone(4000))[None], torch.tensor([4000])
    encoded = both.encode_speech(waveforms, lengths)
    assert both.unit_logits(encoded.states).shape == (*encoded.states.shape[:2], NUM_UNITS)
    assert both.ctc_logits(encoded).shape == (*encoded.states.shape[:2], VOCAB_SIZE)
    for judge in (lambda: neither.unit_logits(encoded.states), lambda: neither.ctc_logits(encoded)):
        with pytest.raises(AssertionError, match="built without"):
            judge()


def test_weights_begin_as_those_of_bert():
    torch.manual_seed(0)
    model = Hubert(HubertConfig.tiny())
    linear = model.encoder.layers[0].feed_forward.inner
    assert abs(linear.weight.std().item() - 0.02) < 1e-3
    assert not linear.bias.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_computes_the_same(tmp_path: Path, kind: str):
    model = build(**(KINDS[kind] | {"vocab_size": len(tiny.character_tokenizer().vocabulary)}))
    stored = StoredModel("hubert", to_mapping(model.config), model.state_dict(), tiny.character_tokenizer())
    save_model(tmp_path / "model", stored)
    again = build_model(load_model(tmp_path / "model"), "here")
    assert type(again) is Hubert
    assert again.config == model.config
    waveforms, lengths = torch.from_numpy(tiny.tone(6000))[None], torch.tensor([6000])
    with torch.no_grad():
        ours, theirs = (one.ctc_logits(one.encode_speech(waveforms, lengths)) for one in (model, again))
    assert torch.equal(ours, theirs)


def test_a_model_without_text_is_saved_without_a_tokenizer(tmp_path: Path):
    config = small_config(vocab_size=None)
    save_model(tmp_path / "model", StoredModel("hubert", to_mapping(config), Hubert(config).state_dict(), None))
    assert not (tmp_path / "model" / "tokenizer").exists()
    assert build_model(load_model(tmp_path / "model"), "here").config == config
