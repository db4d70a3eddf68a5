import pytest

from models.speech_units.sizes import build
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.models.speechut.keys import config_from_original, key_table, to_original, to_ours


def test_the_names_that_only_speechut_has():
    names = key_table(SpeechUTConfig.tiny(20, 10)).to_original(
        ["unit_predictor.embeddings", "unit_predictor.projection.bias", "top_predictor.weight", "top_predictor.bias"]
    )
    assert list(names.names.values()) == [
        "label_embs_concat",
        "final_proj.bias",
        "code_encoder_proj.weight",
        "code_encoder_proj.bias",
    ]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({}, (True, True, False)),
        ({"reset_decoder_embedding_config": True, "no_scale_embedding": True}, (True, True, False)),
        ({"reset_decoder_embedding_config": False}, (True, True, False)),
        ({"reset_decoder_embedding_config": False, "no_scale_embedding": True}, (False, True, False)),
        ({"reset_decoder_embedding_config": False, "layernorm_embedding": True}, (True, True, True)),
        ({"reset_decoder_embedding_config": False, "no_token_positional_embeddings": True}, (True, False, False)),
    ],
)
def test_the_decoder_may_be_reset_after_the_unit_encoder_was_built(arguments, wanted):
    own = dict(arguments)
    reset = {name: own.pop(name) for name in list(own) if name.startswith("reset")}
    config = config_from_original({**reset, "text_transformer": own}, 20, 10)
    found = (config.scale_decoder_embedding, config.has_decoder_positions, config.has_decoder_embedding_norm)
    assert found == wanted
    assert config.scale_unit_embedding == (own.get("no_scale_embedding") is False)
    assert (config.max_unit_positions is None) == bool(own.get("no_token_positional_embeddings"))


def test_arguments_of_the_decoder_are_read():
    side = {"embed_dim": 64, "ffn_embed_dim": 80, "layers": 2, "attention_heads": 4, "normalize_before": True}
    transformer = {"decoder": side | {"layerdrop": 0.2, "output_dim": 64}, "share_decoder_input_output_embed": True}
    config = config_from_original({"text_transformer": transformer}, 20, 10)
    assert config.decoder is not None
    assert (config.decoder.dim, config.decoder.ffn_dim, config.decoder.num_layers) == (64, 80, 2)
    assert (config.decoder.num_heads, config.decoder.norm_first, config.decoder.layerdrop) == (4, True, 0.2)
    assert config.decoder.max_relative_distance == 24
    assert config.share_decoder_embeddings
    assert config_from_original({"add_decoder": False}, 20, 10).decoder is None
    config = config_from_original({"use_rel_pos_enc": False}, 20, 10)
    assert config.decoder is not None
    assert config.decoder.max_relative_distance is None


def test_weights_go_there_and_back():
    model = build("speechut_large")
    weights = model.state_dict()
    back = to_ours(to_original(weights, model.config), model.config)
    assert back.keys() == weights.keys()
