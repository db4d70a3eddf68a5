import pytest

from models.speech_units.sizes import build
from sprachbund.errors import CheckpointError
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.models.speechlm.keys import config_from_original, key_table, to_original, to_ours

# What a model fine-tuned for translation says of its decoder, beside what it says of its encoder.
DECODER = {
    "decoder_embed_dim": 64, "decoder_ffn_embed_dim": 80, "decoder_layers": 2, "decoder_attention_heads": 4,
    "decoder_normalize_before": True, "decoder_output_dim": 64, "share_decoder_input_output_embed": True,
    "dropout": 0.3, "encoder_embed_dim": 768, "decoder_dropout": 0.7,
}  # fmt: skip


def test_the_names_that_only_speechlm_has():
    table = key_table(SpeechLMConfig.tiny(20, 10))
    ours = [f"{place}_predictor.{name}" for place in ("unit", "top") for name in ("embeddings", "projection.bias")]
    assert list(table.to_original(ours).names.values()) == [
        "label_embs_list.0",
        "final_proj_list.0.bias",
        "label_embs_list.1",
        "final_proj_list.1.bias",
    ]


def test_the_base_model_is_the_published_one():
    config = config_from_original(
        {"encoder_layerdrop": 0.1, "text_transformer": {"encoder": {"layerdrop": 0.1}}}, 34, 505
    )
    assert config == SpeechLMConfig.base(34, 505, original_numerics=True)


def test_a_second_dictionary_stands_at_the_top():
    assert config_from_original({}, 20, 10, num_top_units=7).num_top_units == 7
    assert config_from_original({}, 20, 10).num_top_units is None


def test_a_decoder_comes_with_fine_tuning():
    config = config_from_original({"add_decoder": True}, 20, 10)
    assert config.decoder is None  # pre-training says so and has none
    config = config_from_original({}, 20, 10, decoder=DECODER)
    assert config.decoder is not None
    assert (config.decoder.dim, config.decoder.ffn_dim, config.decoder.num_layers) == (64, 80, 2)
    assert (config.decoder.num_heads, config.decoder.norm_first, config.decoder.dropout) == (4, True, 0.3)
    assert (config.decoder.max_relative_distance, config.decoder.layerdrop) == (24, 0.0)
    assert (config.scale_decoder_embedding, config.has_decoder_positions) == (True, True)
    assert (config.has_decoder_embedding_norm, config.share_decoder_embeddings) == (False, True)
    assert config.encoder.dropout == 0.1


def test_what_is_not_said_of_a_decoder_is_as_published():
    config = config_from_original({}, 20, 10, decoder={})
    assert config.decoder is not None
    assert (config.decoder.dim, config.decoder.ffn_dim, config.decoder.num_layers) == (768, 3072, 6)
    assert (config.decoder.num_heads, config.decoder.norm_first) == (12, False)
    config = config_from_original({}, 20, 10, decoder={"use_rel_pos_enc": False, "no_scale_embedding": True})
    assert config.decoder is not None
    assert config.decoder.max_relative_distance is None
    assert not config.scale_decoder_embedding


@pytest.mark.parametrize(("name", "value"), [("learned_pos", True), ("output_dim", 32)])
def test_a_decoder_that_the_package_lacks_is_refused(name, value):
    with pytest.raises(CheckpointError, match=f"decoder.{name}"):
        config_from_original({}, 20, 10, decoder={**DECODER, f"decoder_{name}": value})


def test_weights_go_there_and_back():
    model = build("speechlm_two_labels")
    weights = model.state_dict()
    back = to_ours(to_original(weights, model.config), model.config)
    assert back.keys() == weights.keys()
