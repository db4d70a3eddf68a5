from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import CheckpointError
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.hubert.transformers_keys import (
    ACTIVATIONS,
    FAMILIES,
    config_from_transformers,
    rename,
    to_preprocessor,
    to_transformers,
    to_transformers_names,
)
from sprachbund.nn.transformer import StackConfig

LARGE: dict[str, Any] = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "feat_extract_norm": "layer", "do_stable_layer_norm": True, "layerdrop": 0, "hidden_dropout": 0,
    "attention_dropout": 0, "activation_dropout": 0, "feat_proj_dropout": 0,
}  # fmt: skip
SHAPES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5)), min_size=1, max_size=4)


def read(family: str = "hubert", preprocessor: dict[str, Any] | None = None, **values: Any) -> HubertConfig:
    return config_from_transformers({"model_type": family, **values}, preprocessor or {})


def test_published_sizes_are_our_named_ones():
    base = HubertConfig.base(num_units=None, dropout=0.0)
    stack = replace(base.encoder, activation_dropout=0.1, layerdrop=0.1)
    assert read() == read("wav2vec2") == replace(base, encoder=stack)
    assert read(**LARGE) == replace(HubertConfig.large(num_units=None), unit_dim=256)


def test_each_family_has_its_own_parts():
    plain, biased, stacked = read("wav2vec2"), read("wavlm"), read("data2vec-audio")
    expected = replace(plain.encoder, bias_buckets=320, max_bias_distance=800)
    assert biased == replace(plain, encoder=expected)
    assert stacked == replace(
        plain,
        conv_norm="layer",
        is_normalized=True,
        frontend_gradient_scale=1.0,
        position_kernel=19,
        position_depth=5,
    )
    assert not read("hubert", feat_proj_layer_norm=False).has_feature_norm
    assert read("wav2vec2", feat_proj_layer_norm=False).has_feature_norm  # which knows no such argument


@pytest.mark.parametrize("said", [None, False, True])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_waveforms_are_normalised_as_is_said_or_as_is_usual(said: bool | None, norm: str):
    preprocessor = {} if said is None else {"do_normalize": said, "sampling_rate": 16_000, "padding_side": "right"}
    assert read(preprocessor=preprocessor, feat_extract_norm=norm).is_normalized == (
        norm == "layer" if said is None else said
    )


def test_another_sampling_rate_is_refused_with_the_mend():
    with pytest.raises(CheckpointError, match=r"another sampling rate \(given: 8000 Hz\)\. Use one of 16000 Hz"):
        read(preprocessor={"sampling_rate": 8000})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"model_type": "wav2vec2-conformer"}, "cannot be used as a speech encoder.*conformer.*Known are: hubert"),
        ({"model_type": None}, "cannot be used as a speech encoder"),
        ({"model_type": ["hubert"]}, "cannot be used as a speech encoder"),
        ({"add_adapter": True}, "'add_adapter' asks for what this package does not have"),
        ({"adapter_attn_dim": 16}, "'adapter_attn_dim' asks"),
        ({"conv_pos_batch_norm": True}, "'conv_pos_batch_norm' asks"),
        ({"feat_extract_activation": "relu"}, "'feat_extract_activation' asks.*Only 'gelu'"),
        ({"layer_norm_eps": 1e-12}, "'layer_norm_eps' asks"),
        ({"feat_extract_norm": "batch"}, "value of 'feat_extract_norm' cannot be used"),
        ({"hidden_act": "mish"}, "hidden_act is mish, known are gelu"),
        ({"hidden_size": 100, "num_attention_heads": 3}, "num_heads .3. must divide dim .100."),
        ({"num_conv_pos_embedding_groups": 7}, "position_groups .7. must divide"),
        ({"conv_kernel": [10, 3]}, "conv_dim, conv_kernel and conv_stride are not equally long"),
        ({"hidden_size": 512, "num_attention_heads": 8}, "no projection"),
        ({"model_type": "data2vec-audio", "num_conv_pos_embeddings": 1}, "num_conv_pos_embeddings is 1"),
        ({"model_type": "wavlm", "num_buckets": 2}, "bias_buckets .2. must be four at least"),
    ],
)
def test_what_ours_has_not_is_refused(values: dict[str, Any], told: str):
    with pytest.raises(CheckpointError, match=told):
        config_from_transformers({"model_type": "hubert"} | values, {})


# Values that no configuration has, at each of its keys.
KEYS = ("hidden_size", "hidden_act", "hidden_dropout", "conv_dim", "conv_bias", "num_conv_pos_embeddings", "layerdrop")
ODD = (None, -1, 0.5, 1 << 70, float("nan"), float("inf"), "768", "", [], [1, "a"], [[]], {}, {"a": 1})


@settings(deadline=None, max_examples=150)
@given(
    family=st.sampled_from(FAMILIES), values=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(ODD), min_size=1)
)
def test_odd_values_are_an_error_of_ours_or_have_a_meaning(family: str, values: dict[str, Any]):
    try:
        config = config_from_transformers({"model_type": family} | values, {"do_normalize": True})
    except CheckpointError as error:
        assert error.mend or error.given
    else:
        assert all(type(layer[0]) is int for layer in config.conv_layers)
        assert config.encoder.dim == 768


def small(**changes: Any) -> HubertConfig:
    stack = StackConfig(
        dim=12, ffn_dim=8, num_layers=2, num_heads=3, max_relative_distance=None, **changes.pop("stack", {})
    )
    config = HubertConfig(
        encoder=stack, num_units=None, conv_layers=((6, 10, 5), (8, 3, 2)), position_kernel=4, position_groups=2
    )
    return replace(config, **changes)


@pytest.mark.parametrize(
    "config",
    [
        small(),
        small(stack={"norm_first": True, "activation": "gelu_tanh"}, conv_norm="layer", conv_bias=True),
        small(has_feature_norm=False, is_normalized=True, frontend_gradient_scale=0.1, stack={"activation": "relu"}),
        small(stack={"bias_buckets": 8, "max_bias_distance": 5}),
        small(position_depth=3, conv_norm="layer"),
    ],
    ids=["plain", "pre_norm", "no_norm", "bias", "stacked"],
)
def test_names_go_there_and_back(config: HubertConfig):
    names = list(Hubert(config).state_dict())
    renamed = to_transformers_names(names)
    assert renamed.unused == ()
    for prefix in ("", "hubert."):
        known, unused = rename([prefix + name for name in renamed.names.values()] + ["lm_head.weight"])
        assert unused == ("lm_head.weight",)
        assert sorted(known.values()) == sorted(names)


@settings(deadline=None, max_examples=60)
@given(
    shapes=SHAPES,
    norm=st.sampled_from(["group", "layer"]),
    activation=st.sampled_from(sorted(set(ACTIVATIONS.values()))),
    switches=st.tuples(*(st.booleans() for _ in range(4))),
    kernel=st.integers(1, 200),
)
def test_configurations_go_there_and_back(shapes, norm, activation, switches, kernel):
    bias, first, normalized, feature_norm = switches
    config = small(
        conv_layers=(*shapes, (11, 2, 2)),
        conv_norm=norm,
        conv_bias=bias,
        stack={"norm_first": first, "activation": activation, "dropout": 0.25},
        is_normalized=normalized,
        has_feature_norm=feature_norm,
        position_kernel=kernel,
        frontend_gradient_scale=0.1 if norm == "group" else 1.0,  # which transformers does not know
    )
    assert config_from_transformers(to_transformers(config), to_preprocessor(config)) == config


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (small(stack={"bias_buckets": 8, "max_bias_distance": 5}), "relative positions"),
        (replace(small(), encoder=replace(small().encoder, max_relative_distance=4)), "relative positions"),
        (small(has_speech_sinusoids=True, position_depth=2), "sinusoids, stacked positions"),
        (small(stack={"norm_eps": 1e-3}), "norm_eps 0.001"),
        (small(conv_layers=((12, 10, 5),)), "no projection"),
    ],
)
def test_what_hubert_has_not_is_not_written(config: HubertConfig, told: str):
    with pytest.raises(CheckpointError, match=rf"what HuBERT in transformers has not \(given: {told}\)\. Only plain"):
        to_transformers(config)


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layers.0.adapter_layer.norm.weight",
        "encoder.layers.0.attention.rel.weight",
        "encoder.pos_conv_embed.batch_norm.bias",
    ],
)
def test_parts_inside_of_the_encoder_are_not_left_out_silently(name: str):
    with pytest.raises(
        CheckpointError, match=rf"parts that the package's encoder does not have \(given: hubert.{name}\)"
    ):
        rename(["hubert.masked_spec_embed", f"hubert.{name}", "lm_head.bias"])


def test_both_spellings_of_the_normalised_weight_are_known():
    old, _ = rename(["encoder.pos_conv_embed.conv.weight_g", "encoder.pos_conv_embed.conv.weight_v"])
    stem = "encoder.pos_conv_embed.conv.parametrizations.weight.original"
    new, _ = rename([f"{stem}0", f"{stem}1"])
    assert list(old.values()) == list(new.values()) == [
        "speech_prenet.positions.weight_gain", "speech_prenet.positions.weight_direction",
    ]  # fmt: skip
    with pytest.raises(CheckpointError, match="two weights would both be called"):
        rename([f"{stem}0", "encoder.pos_conv_embed.conv.weight_g"])


def test_heads_and_quantizers_are_named():
    names = [
        "wav2vec2.masked_spec_embed",
        "quantizer.codevectors",
        "project_q.weight",
        "project_hid.bias",
        "lm_head.weight",
    ]
    known, unused = rename(names)
    assert known == {"wav2vec2.masked_spec_embed": "speech_prenet.mask_embedding.vector"}
    assert unused == tuple(names[1:])


def test_the_gain_of_the_positions_is_one_a_tap():
    """As the published weights hold it; a table that mixed up the two would not fit."""
    positions = Hubert(small()).state_dict()
    assert positions["speech_prenet.positions.weight_gain"].shape == torch.Size((1, 1, 4))
