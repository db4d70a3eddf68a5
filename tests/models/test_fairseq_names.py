import pytest

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.errors import CheckpointError
from sprachbund.models.fairseq_names import (
    ACTIVATIONS,
    attention_rules,
    parse_conv_layers,
    read_activation,
    read_norm,
    refuse_others,
    relative_rules,
    stack_rules,
    text_decoder_rules,
    waveform_rules,
)


def test_attention_has_four_projections():
    table = KeyTable(attention_rules("there", "here"))
    names = [f"here.{part}.{kind}" for part in ("query", "key", "value", "out") for kind in ("weight", "bias")]
    there = table.to_original(names)
    assert set(there.names.values()) == {
        f"there.{part}_proj.{kind}" for part in "qkv" for kind in ("weight", "bias")
    } | {
        "there.out_proj.weight",
        "there.out_proj.bias",
    }


def test_layers_keep_their_number():
    renamed = KeyTable(stack_rules("encoder")).to_ours(["encoder.layers.11.fc1.weight", "encoder.layer_norm.bias"])
    assert list(renamed.names.values()) == ["encoder.layers.11.feed_forward.inner.weight", "encoder.norm.bias"]


def test_relative_positions_are_of_the_stack_and_their_norm_of_each_layer():
    names = ["decoder.pos_emb.pe_k.weight", "decoder.layers.3.norm_k.bias", "encoder.pos_emb.pe_k.weight"]
    renamed = KeyTable(relative_rules("decoder")).to_ours(names)
    assert list(renamed.names.values()) == ["decoder.relative.table.weight", "decoder.layers.3.relative_norm.bias"]
    assert renamed.unused == (names[2],)


def test_a_decoder_attends_to_itself_and_to_a_memory():
    inner = ("self_attn", "encoder_attn", "self_attn_layer_norm", "encoder_attn_layer_norm", "fc1", "final_layer_norm")
    names = [f"d.layers.0.{part}{'.q_proj' if part.endswith('attn') else ''}.bias" for part in inner]
    renamed = KeyTable(text_decoder_rules("d")).to_ours(names)
    assert [name.removeprefix("d.layers.0.") for name in renamed.names.values()] == [
        "attention.query.bias",
        "memory_attention.query.bias",
        "attention_norm.bias",
        "memory_attention_norm.bias",
        "feed_forward.inner.bias",
        "final_norm.bias",
    ]


@pytest.mark.parametrize(("norm", "place"), [("group", "2"), ("layer", "2.1")])
def test_the_norms_of_convolutions_are_called_by_their_kind(norm: str, place: str):
    table = KeyTable(waveform_rules("", "positions", norm))
    name = f"feature_extractor.conv_layers.0.{place}.weight"
    assert table.to_ours([name]).names == {name: "speech_prenet.frontend.blocks.0.norm.weight"}
    other = "feature_extractor.conv_layers.0.1.weight"
    assert table.to_ours([other]).unused == (other,)


def test_both_spellings_of_a_weight_norm_become_one():
    table = KeyTable(waveform_rules("x.", "encoder.pos_conv.0", "group"))
    old = ["encoder.pos_conv.0.weight_g", "encoder.pos_conv.0.weight_v"]
    new = [f"encoder.pos_conv.0.parametrizations.weight.original{index}" for index in (0, 1)]
    ours = ["speech_prenet.positions.weight_gain", "speech_prenet.positions.weight_direction"]
    assert list(table.to_ours(old).names.values()) == list(table.to_ours(new).names.values()) == ours
    assert list(table.to_original(ours).names.values()) == old


def test_prefixes_stand_before_the_names():
    table = KeyTable(waveform_rules("prenet.", "prenet.pos_conv.0", "group"))
    assert table.to_ours(["prenet.mask_emb"]).names == {"prenet.mask_emb": "speech_prenet.mask_embedding.vector"}
    assert table.to_ours(["mask_emb"]).unused == ("mask_emb",)


@pytest.mark.parametrize("times", ["100", "9" * 30])
def test_expressions_of_endless_layers_are_refused(times: str):
    with pytest.raises(CheckpointError, match="convolution layers"):
        parse_conv_layers(f"[(1,2,3)] * {times}")
    with pytest.raises(CheckpointError, match="convolution layers") as caught:
        parse_conv_layers("+".join(["[(1,2,3)]"] * 1000))
    assert len(str(caught.value)) < 1000


def test_values_are_read():
    assert (read_norm("default"), read_norm("layer_norm")) == ("group", "layer")
    assert [read_activation(name) for name in ACTIVATIONS] == list(ACTIVATIONS.values())
    refuse_others({"a": 2, "c": 3}, {"a": (1, 2), "b": (1,)})


def test_other_values_are_refused_by_name():
    with pytest.raises(CheckpointError, match=r"extractor_mode.*batch"):
        read_norm("batch")
    with pytest.raises(CheckpointError, match=r"activation_fn.*glu.*Known are: gelu"):
        read_activation("glu")
    with pytest.raises(CheckpointError, match=r"'a' asks.*given: 3.*Only 1 can be used"):
        refuse_others({"a": 3}, {"a": (1, 2)})
