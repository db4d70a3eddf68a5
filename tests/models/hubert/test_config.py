from typing import Any

import pytest

from models.hubert.sizes import KINDS, small_config
from sprachbund.config import from_mapping, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.speech_encoder import waveform_layers

SIZES = ("tiny", "small", "base", "large")


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_survives_yaml(kind: str):
    config = small_config(**KINDS[kind])
    assert from_mapping(HubertConfig, to_mapping(config), "here") == config


def test_defaults_are_the_published_base():
    config = HubertConfig()
    assert config == HubertConfig.base()
    stack = config.encoder
    assert (stack.num_layers, stack.dim, stack.ffn_dim, stack.num_heads) == (12, 768, 3072, 12)
    assert stack.max_relative_distance is None
    assert (config.unit_dim, config.unit_temperature, config.unit_rate) == (256, 0.1, 50.0)
    assert (config.conv_layers, config.conv_norm) == (waveform_layers(512), "group")
    assert not (stack.norm_first or config.is_normalized or config.conv_bias)


def test_large_is_as_published():
    config = HubertConfig.large()
    stack = config.encoder
    assert (stack.num_layers, stack.dim, stack.ffn_dim, stack.num_heads) == (24, 1024, 4096, 16)
    assert stack.norm_first
    assert config.is_normalized
    assert (config.conv_norm, config.unit_dim, config.frontend_gradient_scale) == ("layer", 768, 1.0)
    assert stack.dropout == stack.attention_dropout == stack.layerdrop == config.dropout == 0.0


@pytest.mark.parametrize("size", SIZES)
def test_named_sizes_take_changes(size: str):
    config = getattr(HubertConfig, size)(54, vocab_size=9, unit_rate=100.0)
    assert (config.num_units, config.vocab_size, config.unit_rate) == (54, 9, 100.0)
    assert config.blank == 8
    assert config.encoder.max_relative_distance is None
    assert getattr(HubertConfig, size)(None).num_units is None


def test_a_model_without_text_has_no_blank():
    assert HubertConfig.tiny().blank is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"position_groups": 5}, "position_groups"),
        ({"position_depth": 0}, "position_depth"),
        ({"encoder": {"dim": 30, "num_heads": 4}}, "num_heads"),
        ({"encoder": {"bias_buckets": 8}}, "bias_buckets and max_relative_distance"),
        ({"num_units": 0}, "num_units"),
        ({"vocab_size": -1}, "vocab_size"),
        ({"codebook": 3}, "codebook"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], problem: str):
    mapping = to_mapping(HubertConfig.tiny()) | changes
    with pytest.raises(RecipeError, match=problem):
        from_mapping(HubertConfig, mapping, "here")
