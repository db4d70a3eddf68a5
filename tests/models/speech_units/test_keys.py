import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.speech_units.sizes import KINDS, build
from sprachbund.errors import CheckpointError
from sprachbund.models.speech_units import keys as shared
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.speechlm import keys as speechlm
from sprachbund.models.speechlm.model import SpeechLM
from sprachbund.models.speechut import keys as speechut
from sprachbund.models.speechut.model import SpeechUT

FAMILIES: dict[str, tuple[ModuleType, type[SpeechUnitModel]]] = {
    "speechlm": (speechlm, SpeechLM),
    "speechut": (speechut, SpeechUT),
}
INVENTORIES = sorted(
    path for family in FAMILIES for path in (Path(__file__).parents[2] / "golden" / "keys").glob(f"{family}_*.json")
)
MARKS = re.compile(r"(unit_encoder|decoder)\.version|.*\._float_tensor")
COPY = "unit_encoder.embed_tokens.weight"


def family_of(name: str) -> tuple[ModuleType, type[SpeechUnitModel]]:
    return FAMILIES[name.partition("_")[0]]


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.stem)
def test_every_weight_of_the_published_models_has_its_place(path: Path):
    inventory = json.loads(path.read_text())
    keys, (family, model_class) = inventory["keys"], family_of(path.stem)
    rows = [keys[name]["shape"][0] for name in (shared.CTC_OUTPUT, shared.UNIT_EMBEDDINGS)]
    config = family.config_from_original(inventory["config"], *rows)
    with torch.device("meta"):
        model = model_class(config)
        weights = {name: torch.empty(entry["shape"]) for name, entry in keys.items()}
    own = model.state_dict()
    wanted = {name: entry["shape"] for name, entry in keys.items() if not MARKS.fullmatch(name)}
    assert {name: list(weight.shape) for name, weight in family.to_original(own, config).items()} == wanted
    there = family.key_table(config).to_ours(weights)
    assert {ours: list(weights[name].shape) for name, ours in there.names.items()} == {
        name: list(weight.shape) for name, weight in own.items()
    }
    assert set(there.unused) == {name for name in keys if MARKS.fullmatch(name)} | {COPY}
    assert inventory["tied"] == [[shared.UNIT_EMBEDDINGS, COPY]]
    assert sum(one.numel() for one in model.parameters()) == inventory["num_parameters"]
    buffers = {name for name, entry in keys.items() if entry["kind"] == "buffer"}
    assert not list(model.named_buffers())
    assert all(MARKS.fullmatch(name) for name in buffers)


def test_there_are_inventories():
    assert len(INVENTORIES) == 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{}, {"num_units": None, "num_top_units": None}, {"has_ctc_head": False}], ids=str)
def test_weights_go_there_and_back(kind: str, changes: dict[str, Any]):
    family, model_class = family_of(kind)
    model = build(kind, **{name: value for name, value in changes.items() if name[4:7] != "top" or "lm" in kind})
    assert isinstance(model, model_class)
    weights = model.state_dict()
    original = family.to_original(weights, model.config)
    assert (COPY in original) == (model.config.num_units is not None)
    assert len(original) == len(weights) + (COPY in original)
    back = family.to_ours({"unit_encoder.version": torch.ones(1), **original}, model.config)
    assert back.keys() == weights.keys()
    assert all(back[name] is weight for name, weight in weights.items())


def test_parts_that_the_model_has_not_are_left_over():
    original = speechut.to_original(build("speechut").state_dict(), build("speechut").config)
    config = build("speechut", num_units=None, has_ctc_head=False, decoder=None, vocab_size=None).config
    unused = speechut.key_table(config).to_ours(original).unused
    heads = ("final_proj.", "label_embs", "code_encoder", "unit_embed", shared.CTC_HEAD, "decoder.", COPY)
    assert set(unused) == {name for name in original if name.startswith(heads)}


def test_a_copy_must_be_what_it_copies():
    model = build("speechlm")
    original = speechlm.to_original(model.state_dict(), model.config)
    found = shared.rename(speechlm.key_table(model.config), original)
    assert (found.copies, found.unused) == ((COPY,), ())
    original[COPY] = original[COPY] + 1e-6
    with pytest.raises(CheckpointError, match=rf"'{COPY}' and 'unit_embed_tokens\.weight' should be the same"):
        speechlm.to_ours(original, model.config)
    del original[COPY]
    assert speechlm.to_ours(original, model.config).keys() == model.state_dict().keys()


def transformer(**changes: Any) -> dict[str, Any]:
    return {"text_transformer": changes}


def fields(arguments: dict[str, Any]) -> Any:
    return speechut.config_from_original(arguments, 50, 20)


def test_what_is_not_said_is_as_in_the_published_base_models():
    nothing = {"label_rate": "???", "dropout": None, "text_transformer": {"encoder": {"layers": "???"}}}
    for arguments in ({}, nothing):
        config = speechut.config_from_original(arguments, 50, 20)
        assert config == speechut.SpeechUTConfig(vocab_size=50, num_units=20, original_numerics=True)


def test_arguments_of_the_speech_transformer_are_read():
    config = fields(
        {
            "layer_norm_first": True, "extractor_mode": "layer_norm", "conv_bias": True, "final_dim": 12,
            "encoder_embed_dim": 64, "encoder_attention_heads": 4, "encoder_layers": 3, "encoder_layerdrop": 0.3,
            "conv_feature_layers": "[(8,10,5)]", "dropout_input": 0.4, "dropout": 0.2, "logit_temp": 0.2,
            "feature_grad_mult": -1.0, "conv_pos": 16, "conv_pos_groups": 4, "label_rate": 100, "normalize": True,
            "activation_fn": "relu", "text_ctc_conv_kernel": 3, "scaling_for_att": 32, "required_seq_len_multiple": 2,
            **transformer(encoder={"embed_dim": 64}),
        }
    )  # fmt: skip
    assert (config.conv_norm, config.conv_bias, config.conv_layers) == ("layer", True, ((8, 10, 5),))
    assert (config.unit_dim, config.unit_rate, config.unit_temperature) == (12, 100.0, 0.2)
    assert (config.dropout, config.encoder.dropout, config.encoder.layerdrop) == (0.4, 0.2, 0.3)
    assert config.encoder.norm_first
    assert not config.unit_encoder.norm_first
    assert (config.encoder.dim, config.encoder.num_heads, config.encoder.num_layers) == (64, 4, 3)
    assert (config.encoder.activation, config.unit_encoder.activation) == ("relu", "gelu")
    assert (config.position_kernel, config.position_groups, config.ctc_kernel) == (16, 4, 3)
    assert config.frontend_gradient_scale == 0
    assert config.is_normalized
    assert config.original_numerics


def test_arguments_of_the_unit_encoder_are_read():
    config = fields(
        {
            "use_rel_pos_enc": False,
            **transformer(
                max_source_positions=70,
                no_scale_embedding=False,
                layernorm_embedding=False,
                relu_dropout=0.3,
                attention_dropout=0.2,
                activation_fn="gelu_fast",
                encoder={"layers": 4, "attention_heads": 6, "normalize_before": True, "layerdrop": 0.5},
            ),
        }
    )
    stack = config.unit_encoder
    assert (stack.num_layers, stack.num_heads, stack.norm_first, stack.layerdrop) == (4, 6, True, 0.5)
    assert (stack.activation_dropout, stack.attention_dropout, stack.activation) == (0.3, 0.2, "gelu_tanh")
    assert (config.max_unit_positions, config.scale_unit_embedding, config.has_unit_embedding_norm) == (70, True, False)
    assert stack.max_relative_distance is config.encoder.max_relative_distance is None
    config = fields(transformer(no_token_positional_embeddings=True, encoder={"learned_pos": False}))
    assert config.max_unit_positions is None


@settings(deadline=None)
@given(st.sampled_from(["vocab_size", "num_units"]), st.booleans())
def test_parts_without_a_dictionary_are_left_out(missing: str, has_head: bool):
    sizes = {"vocab_size": 50, "num_units": 20, missing: None}
    config = speechut.config_from_original({"add_text_ctc": has_head}, **sizes)
    assert (config.vocab_size, config.num_units) == (sizes["vocab_size"], sizes["num_units"])
    assert config.has_ctc_head == (has_head and missing == "num_units")
    assert (config.decoder is not None) == (missing == "num_units")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("target_glu", True),
        ("add_unit_encoder", False),
        ("layer_type", "conformer"),
        ("text_ctc_conv_kernel", 4),
        ("sample_rate", 8000),
        ("activation_fn", "glu"),
        ("extractor_mode", "batch"),
        ("final_dim", 768),
        ("final_dim", 0),
        ("adaptive_input", True),
        ("quant_noise.pq", 0.1),
        ("no_decoder_final_norm", True),
        ("encoder.learned_pos", False),
        ("decoder.learned_pos", True),
        ("decoder.output_dim", 512),
        ("decoder.input_dim", 512),
    ],
)
def test_what_the_package_lacks_is_refused_by_name(name: str, value: Any):
    first, _, second = name.partition(".")
    own = {first: {second: value}} if second else {first: value}
    is_inner = bool(second) or name in ("adaptive_input", "no_decoder_final_norm")
    with pytest.raises(CheckpointError, match=name):
        fields(transformer(**own) if is_inner else own)


NAMES = [
    "encoder_layers", "encoder_embed_dim", "dropout", "dropout_input", "activation_fn", "extractor_mode", "final_dim",
    "conv_feature_layers", "conv_pos", "feature_grad_mult", "logit_temp", "label_rate", "text_transformer", "normalize",
    "text_ctc_conv_kernel", "add_text_ctc", "use_rel_pos_enc", "layer_norm_first", "conv_bias",
]  # fmt: skip
INNER = ["encoder", "decoder", "dropout", "max_source_positions", "activation_fn", "relu_dropout", "quant_noise"]
values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**9) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*INNER, "embed_dim"]), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
def test_whatever_a_file_says_is_read_or_refused(arguments: dict[str, Any]):
    try:
        fields(arguments)
    except (CheckpointError, ArithmeticError, LookupError, TypeError, ValueError):
        pass  # what conversion tells in one sentence


def test_arguments_of_another_form_are_refused():
    for wrong in ("all", 7, [1]):
        with pytest.raises(ValueError, match="text_transformer is no mapping"):
            fields({"text_transformer": wrong})
        with pytest.raises(ValueError, match="decoder is no mapping"):
            fields(transformer(decoder=wrong))
    with pytest.raises(ValueError, match="must be equal"):
        fields(transformer(encoder={"embed_dim": 512}))
