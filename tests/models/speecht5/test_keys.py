import json
import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.speecht5.sizes import KINDS, small_config
from sprachbund.errors import CheckpointError
from sprachbund.models.speecht5.keys import config_from_original, key_table, parse_conv_layers
from sprachbund.models.speecht5.model import SpeechT5

INVENTORIES = sorted((Path(__file__).parents[2] / "golden" / "keys").glob("speecht5_*.json"))
MARKS = re.compile(r"(encoder|decoder)\.version|.*\._float_tensor")


def rows(keys: dict, name: str) -> int | None:
    return keys[name]["shape"][0] if name in keys else None


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.stem)
def test_every_weight_of_the_published_models_has_its_place(path):
    inventory = json.loads(path.read_text())
    keys = inventory["keys"]
    config = config_from_original(
        inventory["config"],
        rows(keys, "text_encoder_prenet.encoder_prenet.0.weight"),
        rows(keys, "hubert_layer.label_embs_concat"),
        num_speakers=rows(keys, "speaker_decoder_postnet.output_projection.weight"),
    )
    with torch.device("meta"):
        model = SpeechT5(config)
    own = model.state_dict()
    back = key_table(config).to_original(own)
    assert not back.unused
    shapes = {back.names[name]: list(weight.shape) for name, weight in own.items()}
    assert shapes == {name: entry["shape"] for name, entry in keys.items() if not MARKS.fullmatch(name)}
    there = key_table(config).to_ours(keys)
    assert set(there.names.values()) == set(own)
    assert set(there.unused) == {name for name in keys if MARKS.fullmatch(name)}
    assert sum(p.numel() for p in model.parameters()) == inventory["num_parameters"]
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for group in inventory["tied"]:
        assert len({id(parameters[there.names[name]]) for name in group}) == 1
    buffers = {there.names[name] for name in there.names if keys[name]["kind"] == "buffer"}
    assert buffers == {name for name, _ in model.named_buffers()}


def test_there_are_inventories():
    assert len(INVENTORIES) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_names_go_there_and_back(kind):
    config = small_config(**KINDS[kind])
    names = list(SpeechT5(config).state_dict())
    table = key_table(config)
    there = table.to_original(names)
    assert not there.unused
    back = table.to_ours(there.names.values())
    assert not back.unused
    assert [back.names[there.names[name]] for name in names] == names


triples = st.tuples(st.integers(1, 999), st.integers(1, 20), st.integers(1, 9))


@given(st.lists(st.tuples(st.lists(triples, min_size=1, max_size=3), st.integers(1, 4)), min_size=1, max_size=4))
def test_layer_expressions_are_read_as_python_reads_them(parts):
    expression = " + ".join(f"{layers!r} * {times}" if times > 1 else repr(layers) for layers, times in parts)
    assert parse_conv_layers(expression) == tuple(eval(expression))


@pytest.mark.parametrize(
    "expression",
    ["", "[]", "[(1,2)]", "[(1,2,3)] * ", "__import__('os').system('ls')", "[(1,2,3)] + x", "[(1,2,3)] * -1", "1"],
)
def test_other_expressions_are_refused(expression):
    with pytest.raises(CheckpointError, match="convolution layers"):
        parse_conv_layers(expression)


def test_original_arguments_are_read():
    config = config_from_original(
        {
            "layer_norm_first": True,
            "extractor_mode": "layer_norm",
            "conv_bias": True,
            "final_dim": 0,
            "reduction_factor": 3,
            "relative_position_embedding": False,
            "enc_use_scaled_pos_enc": False,
            "activation_fn": "gelu_accurate",
            "label_rates": 100,
            "sample_rate": 16000,
            "latent_temp": [1, 0.1, 0.9],
        },
        50,
        None,
        num_speakers=7,
    )
    assert config.encoder.norm_first
    assert not config.decoder.norm_first
    assert (config.conv_norm, config.conv_bias, config.reduction_factor) == ("layer", True, 3)
    assert config.unit_dim == 768
    assert config.encoder.max_relative_distance is None
    assert config.initial_encoder_scale is None
    assert config.initial_decoder_scale == 1.0
    assert config.encoder.activation == "gelu_tanh"
    assert config.unit_rate == 100
    assert config.codebook_temperature == (1.0, 0.1, 0.9)
    assert not config.has_unit_prediction
    assert not config.has_quantizer
    assert config.num_speakers == 7
    assert config.original_numerics


def test_a_fine_tuned_model_knows_of_no_labels():
    assert config_from_original({"label_rates": -1.0, "sample_rate": 100}, 50, None).unit_rate == 50
    assert config_from_original({"label_rates": 25, "sample_rate": 8000}, 50, 20).unit_rate == 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spk_embed_integration_type", "add"),
        ("encoder_speech_prenet", "linear"),
        ("decoder_learned_pos", True),
        ("dprenet_layers", 0),
        ("latent_dim", 100),
        ("activation_fn", "glu"),
        ("extractor_mode", "batch"),
        ("sid_pooling_layer", "encoder"),
    ],
)
def test_what_the_package_lacks_is_refused(name, value):
    with pytest.raises(CheckpointError, match=name):
        config_from_original({name: value}, 50, 20)
