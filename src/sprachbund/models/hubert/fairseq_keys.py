"""Weights and arguments of fairseq's HuBERT and wav2vec 2.0 checkpoints, and ours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.config import from_mapping, to_mapping
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.fairseq_names import (
    Rules,
    parse_conv_layers,
    read_activation,
    read_norm,
    refuse_others,
    stack_rules,
    waveform_rules,
)
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.nn.transformer import StackConfig
from sprachbund.nn.waveform_frontend import ConvolutionShape, FrontendNorm
from sprachbund.shapes import Tensor

Head = Literal["units", "contrastive", "none"]

_FINE_TUNED = "w2v_encoder.w2v_model."  # before the encoder's names in a model fine-tuned for CTC
_POSITIONS = "encoder.pos_conv.0"
_HEADS: dict[Head, Rules] = {
    "units": [
        ("final_proj.{kind}", "unit_predictor.projection.{kind}"),
        ("label_embs_concat", "unit_predictor.embeddings"),
    ],
    "contrastive": [
        ("final_proj.{kind}", "contrastive_head.state_projection.{kind}"),
        ("project_q.{kind}", "contrastive_head.code_projection.{kind}"),
        ("quantizer.vars", "contrastive_head.quantizer.codebook"),
        ("quantizer.weight_proj.{kind}", "contrastive_head.quantizer.projection.{kind}"),
    ],
    "none": [],
}
# What may be left over: heads of pre-training and fine-tuning. Anything else would be a part of another encoder.
_OPTIONAL = re.compile(
    r"(final_proj|project_q|quantizer|input_quantizer|project_inp|target_glu|w2v_encoder\.proj)\..+|label_embs_concat"
)
# Arguments whose other values the package has no counterpart for.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "layer_type": ("transformer", None),
    "pos_enc_type": ("abs", None),
    "pos_conv_depth": (1, None),
    "conv_pos_batch_norm": (False, None),
    "quantize_input": (False, None),
    "target_glu": (False, None),
    "sample_rate": (16000, None),
}


@dataclass(frozen=True)
class FairseqHubert:
    """A checkpoint of fairseq in our names."""

    config: HubertConfig
    weights: Mapping[str, Tensor]
    unused: tuple[str, ...]  # original names of weights that the model has no place for
    guesses: tuple[str, ...]  # what the file did not say, as clauses


def key_table(norm: FrontendNorm, head: Head) -> KeyTable:
    """Original names <-> ours; the norms of the waveform front-end are called by its kind."""
    return KeyTable([*stack_rules("encoder"), *waveform_rules("", _POSITIONS, norm), *_HEADS[head]])


def is_fairseq_hubert(weights: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of a wav2vec-like encoder, fine-tuned or not."""
    return any(f"{prefix}{_POSITIONS}.bias" in weights for prefix in ("", _FINE_TUNED))


def from_fairseq(checkpoint: FairseqCheckpoint) -> FairseqHubert:
    """Our configuration and weights of a HuBERT or wav2vec 2.0 checkpoint.

    Raises:
        CheckpointError: an argument or a weight that this package's encoder has no counterpart for.
    """
    weights = {name.removeprefix(_FINE_TUNED): tensor for name, tensor in checkpoint.weights.items()}
    norm: FrontendNorm = "layer" if "feature_extractor.conv_layers.0.2.1.weight" in weights else "group"
    head = _head(weights)
    renamed = key_table(norm, head).to_ours(weights)
    foreign = [name for name in renamed.unused if not _OPTIONAL.fullmatch(name)]
    if foreign:
        raise CheckpointError(
            "this encoder has parts that HuBERT and wav2vec 2.0 have not",
            where=checkpoint.path,
            given=", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""),
            mend="Only checkpoints of these two, pre-trained or fine-tuned for CTC, can be converted.",
        )
    ours = {new: weights[old] for old, new in renamed.names.items()}
    try:
        config, guesses = _config(checkpoint, ours, norm, head)
        # Checked as a config.json would be: the file may say anything.
        config = from_mapping(HubertConfig, to_mapping(config), checkpoint.path)
    except (RecipeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            "the arguments of this checkpoint do not describe its weights", where=checkpoint.path, given=reason
        ) from None
    return FairseqHubert(config, ours, renamed.unused, guesses)


def to_fairseq(weights: Mapping[str, Tensor], config: HubertConfig) -> dict[str, Tensor]:
    """Our weights by their original names."""
    head: Head = "contrastive" if config.contrastive is not None else "none" if config.num_units is None else "units"
    names = key_table(config.conv_norm, head).to_original(weights).names
    return {original: weights[name] for name, original in names.items()}


def _head(weights: Mapping[str, Tensor]) -> Head:
    """The head that all parts are there of, in shapes that ours has.

    With several sets of units each has a projection of its own; a quantizer may have several layers, or one codebook
    for all groups.
    """
    shape = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    state, units = shape.get("final_proj.weight", (0, 0)), shape.get("label_embs_concat")
    if units is not None:
        return "units" if state[:1] == units[1:] else "none"
    codes, code = shape.get("quantizer.weight_proj.weight", (0, 0)), shape.get("project_q.weight", (0, 0))
    codebook = shape.get("quantizer.vars", (0, 0, 0))
    return "contrastive" if codebook[:2] == (1, codes[0]) and code[0] == state[0] > 0 else "none"


def _config(
    checkpoint: FairseqCheckpoint, weights: Mapping[str, Tensor], norm: FrontendNorm, head: Head
) -> tuple[HubertConfig, tuple[str, ...]]:
    """Sizes from the weights, all else from the arguments; the published models' values where there are none."""
    model, task = checkpoint.model, checkpoint.task
    refuse_others({"sample_rate": task.get("sample_rate"), **model}, _REQUIRED)
    if read_norm(model.get("extractor_mode") or ("layer_norm" if norm == "layer" else "default")) != norm:
        raise ValueError(f"extractor_mode is {model['extractor_mode']}, the weights have {norm} norms")
    direction = weights["speech_prenet.positions.weight_direction"]
    rate = model.get("label_rate") or task.get("label_rate") or 0
    embeddings = weights.get("unit_predictor.embeddings")
    stack, guesses = _stack(model, weights, norm)
    config = HubertConfig(
        encoder=stack,
        num_units=None if embeddings is None else embeddings.shape[0],
        unit_dim=256 if embeddings is None else embeddings.shape[1],
        unit_temperature=_number(model, "logit_temp", 0.1) if head == "units" else 0.1,
        unit_rate=float(rate) if rate > 0 else 50.0,
        dropout=_number(model, "dropout_input", 0.0),
        is_normalized=bool(task.get("normalize", model.get("normalize", norm == "layer"))),
        conv_layers=_conv_layers(model.get("conv_feature_layers"), weights),
        conv_norm=norm,
        conv_bias="speech_prenet.frontend.blocks.0.convolution.bias" in weights,
        frontend_gradient_scale=max(_number(model, "feature_grad_mult", 1.0), 0.0),
        position_kernel=direction.shape[2],
        position_groups=direction.shape[0] // direction.shape[1],
        contrastive=_contrastive(model, weights) if head == "contrastive" else None,
    )
    return config, guesses if checkpoint.has_arguments else (*guesses, "waveforms as the published models want them")


def _stack(
    model: Mapping[str, Any], weights: Mapping[str, Tensor], norm: FrontendNorm
) -> tuple[StackConfig, tuple[str, ...]]:
    inner = weights["encoder.layers.0.feed_forward.inner.weight"]
    layers = {match[1] for name in weights if (match := re.match(r"encoder\.layers\.(\d+)\.", name))}
    dim = inner.shape[1]
    guesses = []
    num_heads, norm_first = model.get("encoder_attention_heads"), model.get("layer_norm_first")
    if num_heads is None:
        num_heads = max(dim // 64, 1)
        guesses.append(f"{num_heads} attention heads")
    if norm_first is None:
        norm_first = norm == "layer"
        guesses.append(f"layers that normalise {'first' if norm_first else 'last'}")
    return StackConfig(
        dim=dim,
        ffn_dim=inner.shape[0],
        num_layers=len(layers),
        num_heads=num_heads,
        norm_first=norm_first,
        dropout=_number(model, "dropout", 0.1),
        attention_dropout=_number(model, "attention_dropout", 0.1),
        activation_dropout=_number(model, "activation_dropout", 0.0),
        activation=read_activation(model.get("activation_fn") or "gelu"),
        layerdrop=_number(model, "encoder_layerdrop", 0.0),
        max_relative_distance=None,
    ), tuple(guesses)


def _contrastive(model: Mapping[str, Any], weights: Mapping[str, Tensor]) -> ContrastiveHeadConfig:
    codebook = weights["contrastive_head.quantizer.codebook"]
    projection = weights["contrastive_head.code_projection.weight"]
    groups = projection.shape[1] // codebook.shape[2]
    temperature = model.get("latent_temp")
    if isinstance(temperature, str):
        temperature = re.findall(r"\d+(?:\.\d+)?", temperature)
    first, lowest, factor = map(float, temperature or ContrastiveHeadConfig().codebook_temperature)
    return ContrastiveHeadConfig(
        groups=groups,
        codes_per_group=codebook.shape[1] // groups,
        code_dim=projection.shape[1],
        dim=projection.shape[0],
        temperature=_number(model, "logit_temp", 0.1),
        codebook_temperature=(first, lowest, factor),
        dropout=_number(model, "dropout_features", 0.0),
    )


def _number(arguments: Mapping[str, Any], name: str, usual: float) -> float:
    value = arguments.get(name)
    return usual if value is None else float(value)


def _conv_layers(expression: Any, weights: Mapping[str, Tensor]) -> tuple[ConvolutionShape, ...]:
    """Channels and kernels are those of the weights; strides are as said, or the published ones."""
    usual = HubertConfig().conv_layers
    said = usual if expression is None else parse_conv_layers(str(expression))
    shapes = [
        weights[f"speech_prenet.frontend.blocks.{number}.convolution.weight"].shape for number in range(len(said))
    ]
    return tuple((shape[0], shape[2], stride) for shape, (_, _, stride) in zip(shapes, said, strict=True))
