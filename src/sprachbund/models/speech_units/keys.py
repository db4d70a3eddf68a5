"""Names and arguments that the original SpeechLM and SpeechUT share, and ours."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.errors import CheckpointError
from sprachbund.models.fairseq_names import (
    Rules,
    parse_conv_layers,
    read_activation,
    read_norm,
    refuse_others,
    relative_rules,
    stack_rules,
    text_decoder_rules,
    waveform_rules,
)
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.models.speech_units.config import SpeechUnitConfig
from sprachbund.nn.transformer import StackConfig
from sprachbund.shapes import Tensor

UNIT_EMBEDDINGS, CTC_HEAD = "unit_embed_tokens.weight", "unit_encoder_ctc_head."
CTC_OUTPUT, TEXT_EMBEDDINGS = f"{CTC_HEAD}5.weight", "decoder.embed_tokens.weight"
# The unit encoder holds the embeddings of units a second time, under a name of its own.
_COPIES = {"unit_encoder.embed_tokens.weight": UNIT_EMBEDDINGS}
# Version marks, and the one-element buffers of sinusoids, whose content is uninitialised memory.
_IGNORED = (*_COPIES, "unit_encoder.version", "decoder.version", "decoder.embed_positions._float_tensor")

_CTC_HEAD: Rules = [
    (f"{CTC_HEAD}1.weight", "ctc_head.convolution.weight"),
    (f"{CTC_HEAD}3.2.{{kind}}", "ctc_head.norm.{kind}"),
    (f"{CTC_HEAD}5.{{kind}}", "ctc_head.projection.{kind}"),
]
# The originals have these distances in their code.
_ENCODER_DISTANCE, _DECODER_DISTANCE = 160, 24
# Arguments whose other values the package has no counterpart for: name, and the values that mean what we do.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "add_unit_encoder": (True,),
    "target_glu": (False,),
    "layer_type": ("transformer",),
    "pos_enc_type": ("abs",),
    "pos_conv_depth": (1,),
    "conv_pos_batch_norm": (False,),
    # The stride is half of the kernel; others than these would thin the frames out.
    "text_ctc_conv_kernel": (2, 3),
    "sample_rate": (16000,),
    "text_transformer.adaptive_input": (False,),
    "text_transformer.adaptive_softmax_cutoff": (None,),
    "text_transformer.character_embeddings": (False,),
    "text_transformer.base_layers": (0,),
    "text_transformer.cross_self_attention": (False,),
    "text_transformer.no_cross_attention": (False,),
    "text_transformer.no_decoder_final_norm": (False,),
    "text_transformer.quant_noise.pq": (0, 0.0),
}


class OriginalWeights(NamedTuple):
    """Weights in our names, and the original names that gave none."""

    weights: dict[str, Tensor]
    unused: tuple[str, ...]
    copies: tuple[str, ...]  # held a second time under another name


def key_table(config: SpeechUnitConfig, unit_rules: Rules) -> KeyTable:
    """Original names <-> ours of the parts that the configuration has.

    Args:
        config: of either model.
        unit_rules: what predicts units; the two models call it differently.
    """
    rules = [*stack_rules("encoder"), *relative_rules("encoder"), *stack_rules("unit_encoder")]
    rules += [*relative_rules("unit_encoder"), *waveform_rules("", "encoder.pos_conv.0", config.conv_norm)]
    rules += [
        ("unit_encoder.embed_positions.weight", "unit_prenet.positions.weight"),
        ("unit_encoder.layernorm_embedding.{kind}", "unit_prenet.norm.{kind}"),
    ]
    if config.num_units is not None:
        rules += [(UNIT_EMBEDDINGS, "unit_prenet.embedding.weight"), *unit_rules]
    if config.has_ctc_head:
        rules += _CTC_HEAD
    if config.decoder is not None:
        rules += [*text_decoder_rules("decoder"), *relative_rules("decoder")]
        rules += [
            (TEXT_EMBEDDINGS, "text_decoder_prenet.embedding.weight"),
            ("decoder.layernorm_embedding.{kind}", "text_decoder_prenet.norm.{kind}"),
            ("decoder.output_projection.weight", "text_head.weight"),
        ]
    return KeyTable(rules, _IGNORED)


def rename(table: KeyTable, weights: Mapping[str, Tensor]) -> OriginalWeights:
    """Weights by our names.

    Raises:
        CheckpointError: a weight that is held twice is not the same both times.
    """
    copies = {copy: name for copy, name in _COPIES.items() if copy in weights and name in weights}
    check_copies(weights, copies)
    renamed = table.to_ours(weights)
    ours = {new: weights[old] for old, new in renamed.names.items()}
    return OriginalWeights(ours, tuple(name for name in renamed.unused if name not in copies), tuple(copies))


def check_copies(weights: Mapping[str, Tensor], copies: Mapping[str, str]) -> None:
    """Weights that a checkpoint holds twice are one of ours, so the two must agree.

    Args:
        weights: by their original names.
        copies: second name -> first name.

    Raises:
        CheckpointError: names the first two that differ.
    """
    for copy, name in copies.items():
        if not torch.equal(weights[copy], weights[name]):
            raise CheckpointError(
                f"'{copy}' and '{name}' should be the same weight, and differ",
                mend="The file is damaged, or of a model that this package does not have.",
            )


def to_original(table: KeyTable, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights by their original names, with the copies that a checkpoint holds."""
    names = table.to_original(weights).names
    original = {theirs: weights[ours] for ours, theirs in names.items()}
    return original | {copy: original[name] for copy, name in _COPIES.items() if name in original}


def shared_fields(original: Mapping[str, Any], vocab_size: int | None, num_units: int | None) -> dict[str, Any]:
    """Fields of the configuration that both models have, but for the decoder; missing arguments take base values.

    Args:
        original: arguments by their original names, with those of the unit encoder in ``text_transformer``.
        vocab_size: entries of the text dictionary.
        num_units: entries of the hidden-unit dictionary.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
        ValueError: the arguments do not go together.
    """
    arguments = said(original)
    refuse_others(_flat(arguments), _REQUIRED)
    get, encoder = arguments.get, _speech_stack(arguments)
    layers = get("conv_feature_layers")
    return {
        "vocab_size": vocab_size,
        "num_units": num_units,
        "encoder": encoder,
        "dropout": get("dropout_input", 0.1),
        "is_normalized": bool(get("normalize", False)),
        "conv_layers": waveform_layers(512) if layers is None else parse_conv_layers(str(layers)),
        "conv_norm": read_norm(get("extractor_mode", "default")),
        "conv_bias": get("conv_bias", False),
        "frontend_gradient_scale": max(float(get("feature_grad_mult", 0.1)), 0.0),
        "position_kernel": get("conv_pos", 128),
        "position_groups": get("conv_pos_groups", 16),
        "unit_dim": _unit_dim(arguments, encoder.dim),
        "unit_temperature": get("logit_temp", 0.1),
        "unit_rate": _unit_rate(get("label_rate")),
        "has_ctc_head": vocab_size is not None and bool(get("add_text_ctc", True)),
        "ctc_kernel": get("text_ctc_conv_kernel", 2),
        **_unit_encoder_fields(inner(arguments, "text_transformer"), bool(get("use_rel_pos_enc", True))),
        "original_numerics": True,
    }


def decoder_fields(transformer: Mapping[str, Any], *, is_relative: bool, is_reset: bool) -> dict[str, Any]:
    """Fields of the configuration of the text decoder.

    Args:
        transformer: arguments of fairseq's Transformer.
        is_relative: whether it has relative positions.
        is_reset: whether it has scaled embeddings and sinusoids, and no norm of embeddings, whatever is said of them.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
    """
    decoder = inner(transformer, "decoder")
    dim, get = decoder.get("embed_dim", 768), transformer.get
    places = {"decoder.learned_pos": (False,), "decoder.input_dim": (dim,), "decoder.output_dim": (dim,)}
    refuse_others({f"decoder.{name}": value for name, value in decoder.items()}, places)
    return {
        "decoder": _text_stack(
            transformer, decoder, num_heads=12, layerdrop=0.1, distance=_DECODER_DISTANCE if is_relative else None
        ),
        "scale_decoder_embedding": is_reset or not get("no_scale_embedding", False),
        "has_decoder_positions": is_reset or not get("no_token_positional_embeddings", False),
        "has_decoder_embedding_norm": not is_reset and bool(get("layernorm_embedding", False)),
        "share_decoder_embeddings": bool(get("share_decoder_input_output_embed", False)),
    }


def said(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without those that say nothing."""
    return {name: value for name, value in arguments.items() if value is not None and value != "???"}


def inner(arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Arguments that stand in one of `arguments`; none where it is missing.

    Raises:
        ValueError: it is something else.
    """
    value = arguments.get(name, {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is no mapping")
    return said(value)


def _flat(arguments: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Arguments in arguments, with dots in their names."""
    flat: dict[str, Any] = {}
    for name, value in said(arguments).items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _speech_stack(arguments: Mapping[str, Any]) -> StackConfig:
    get = arguments.get
    return StackConfig(
        dim=get("encoder_embed_dim", 768),
        ffn_dim=get("encoder_ffn_embed_dim", 3072),
        num_layers=get("encoder_layers", 6),
        num_heads=get("encoder_attention_heads", 8),
        norm_first=get("layer_norm_first", False),
        dropout=get("dropout", 0.1),
        attention_dropout=get("attention_dropout", 0.1),
        activation_dropout=get("activation_dropout", 0.0),
        activation=read_activation(get("activation_fn", "gelu")),
        layerdrop=get("encoder_layerdrop", 0.0),
        max_relative_distance=_ENCODER_DISTANCE if get("use_rel_pos_enc", True) else None,
    )


def _unit_encoder_fields(transformer: Mapping[str, Any], is_relative: bool) -> dict[str, Any]:
    encoder, get = inner(transformer, "encoder"), transformer.get
    has_positions = not get("no_token_positional_embeddings", False)
    if has_positions:
        refuse_others({"encoder.learned_pos": encoder.get("learned_pos", True)}, {"encoder.learned_pos": (True,)})
    distance = _ENCODER_DISTANCE if is_relative else None
    return {
        "unit_encoder": _text_stack(transformer, encoder, num_heads=8, layerdrop=0.0, distance=distance),
        "max_unit_positions": get("max_source_positions", 3000) if has_positions else None,
        "has_unit_embedding_norm": bool(get("layernorm_embedding", True)),
        "scale_unit_embedding": not get("no_scale_embedding", True),
    }


def _text_stack(
    transformer: Mapping[str, Any],
    side: Mapping[str, Any],
    *,
    num_heads: int,
    layerdrop: float,
    distance: int | None,
) -> StackConfig:
    get = transformer.get
    return StackConfig(
        dim=side.get("embed_dim", 768),
        ffn_dim=side.get("ffn_embed_dim", 3072),
        num_layers=side.get("layers", 6),
        num_heads=side.get("attention_heads", num_heads),
        norm_first=side.get("normalize_before", False),
        dropout=get("dropout", 0.1),
        attention_dropout=get("attention_dropout", 0.1),
        # An older name of the same.
        activation_dropout=get("activation_dropout", 0.0) or get("relu_dropout", 0.0),
        activation=read_activation(get("activation_fn", "gelu")),
        layerdrop=float(side.get("layerdrop", layerdrop)),
        max_relative_distance=distance,
    )


def _unit_dim(arguments: Mapping[str, Any], dim: int) -> int:
    """Width in which states and units are compared; where it is that of the states, the originals share vectors."""
    unit_dim: int = arguments.get("final_dim", 256)
    if unit_dim <= 0 or unit_dim == dim:
        raise CheckpointError(
            "the original argument 'final_dim' asks for what this package does not have",
            given=unit_dim,
            mend=f"Only another width than that of the states ({dim}) can be used.",
        )
    return unit_dim


def _unit_rate(rate: Any) -> float:
    return float(rate) if isinstance(rate, int | float) and rate > 0 else 50.0
