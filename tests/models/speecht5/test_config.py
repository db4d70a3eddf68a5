import pytest

from models.speecht5.sizes import KINDS, small_config
from sprachbund.config import from_mapping, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.speecht5.config import SpeechT5Config


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_survives_yaml(kind):
    config = small_config(**KINDS[kind])
    assert from_mapping(SpeechT5Config, to_mapping(config), "here") == config


def test_defaults_are_the_published_base():
    config = SpeechT5Config(vocab_size=81)
    assert config == SpeechT5Config.base(81)
    assert (config.encoder.num_layers, config.decoder.num_layers, config.encoder.dim) == (12, 6, 768)
    assert config.conv_layers == waveform_layers(512)
    assert not config.original_numerics
    assert config.blank == 80


def test_large_normalises_first():
    config = SpeechT5Config.large(81)
    assert config.encoder.norm_first
    assert config.decoder.norm_first
    assert config.conv_norm == "layer"
    assert (config.encoder.num_layers, config.decoder.num_layers, config.unit_dim) == (24, 6, 768)


def test_named_sizes_take_changes():
    assert SpeechT5Config.tiny(30, 54, reduction_factor=3).reduction_factor == 3
    assert SpeechT5Config.small(30, 54).num_units == 54


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"codebook_groups": 5}, "codebook_groups"),
        ({"position_groups": 5}, "position_groups"),
        ({"encoder": {"dim": 30, "num_heads": 4}}, "num_heads"),
        ({"decoder": {"dim": 36, "num_heads": 4}}, "share_embeddings"),
        ({"quantizer_rule": "closest"}, "quantizer_rule"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, problem):
    mapping = to_mapping(SpeechT5Config.tiny(30)) | changes
    with pytest.raises(RecipeError, match=problem):
        from_mapping(SpeechT5Config, mapping, "here")
