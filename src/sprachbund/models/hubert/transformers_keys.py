"""Weights and arguments of the speech encoders of transformers, and ours: HuBERT, wav2vec 2.0, WavLM, data2vec."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar, cast

from sprachbund.checkpoints.key_table import KeyTable, Renamed
from sprachbund.config import Few, Probability, Size, from_mapping
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.fairseq_names import attention_rules, refuse_others
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.speech_encoder import SpeechEncoderConfig
from sprachbund.nn.transformer import Activation, StackConfig
from sprachbund.nn.waveform_frontend import FrontendNorm
from sprachbund.signal.audio import SAMPLING_RATE

T = TypeVar("T")

FAMILIES = ("hubert", "wav2vec2", "wavlm", "data2vec-audio")
NORM_EPS = 1e-5
# Names of models with a head begin so.
_PREFIX = re.compile(r"(hubert|wav2vec2|wavlm|data2vec_audio)\.")
_PARTS = ("encoder.", "feature_extractor.", "feature_projection.")

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "linear": "linear",
}

_LAYER, _POSITIONS, _OUR_POSITIONS = "encoder.layers.{n}", "encoder.pos_conv_embed", "speech_prenet.positions"
KEYS = KeyTable(
    [
        ("feature_extractor.conv_layers.{n}.conv.{kind}", "speech_prenet.frontend.blocks.{n}.convolution.{kind}"),
        ("feature_extractor.conv_layers.{n}.layer_norm.{kind}", "speech_prenet.frontend.blocks.{n}.norm.{kind}"),
        ("feature_projection.layer_norm.{kind}", "speech_prenet.norm.{kind}"),
        ("feature_projection.projection.{kind}", "speech_prenet.projection.{kind}"),
        ("masked_spec_embed", "speech_prenet.mask_embedding.vector"),
        (f"{_POSITIONS}.conv.parametrizations.weight.original0", f"{_OUR_POSITIONS}.weight_gain"),
        (f"{_POSITIONS}.conv.parametrizations.weight.original1", f"{_OUR_POSITIONS}.weight_direction"),
        # What older torch made of the same two.
        (f"{_POSITIONS}.conv.weight_g", f"{_OUR_POSITIONS}.weight_gain"),
        (f"{_POSITIONS}.conv.weight_v", f"{_OUR_POSITIONS}.weight_direction"),
        (f"{_POSITIONS}.conv.bias", f"{_OUR_POSITIONS}.bias"),
        (f"{_POSITIONS}.layers.{{n}}.conv.{{kind}}", f"{_OUR_POSITIONS}.convolutions.{{n}}.{{kind}}"),
        *attention_rules(f"{_LAYER}.attention", f"{_LAYER}.attention"),
        (f"{_LAYER}.attention.gru_rel_pos_const", f"{_LAYER}.bias_gate.scale"),
        (f"{_LAYER}.attention.gru_rel_pos_linear.{{kind}}", f"{_LAYER}.bias_gate.projection.{{kind}}"),
        ("encoder.layers.0.attention.rel_attn_embed.weight", "encoder.distance_bias.table.weight"),
        (f"{_LAYER}.layer_norm.{{kind}}", f"{_LAYER}.attention_norm.{{kind}}"),
        (f"{_LAYER}.feed_forward.intermediate_dense.{{kind}}", f"{_LAYER}.feed_forward.inner.{{kind}}"),
        (f"{_LAYER}.feed_forward.output_dense.{{kind}}", f"{_LAYER}.feed_forward.outer.{{kind}}"),
        (f"{_LAYER}.final_layer_norm.{{kind}}", f"{_LAYER}.final_norm.{{kind}}"),
        ("encoder.layer_norm.{kind}", "encoder.norm.{kind}"),
    ]
)

# Arguments whose other values the package has no counterpart for.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "feat_extract_activation": ("gelu",),
    "layer_norm_eps": (NORM_EPS,),
    "conv_pos_batch_norm": (False, None),
    "add_adapter": (False, None),
    "adapter_attn_dim": (None,),
}


@dataclass(frozen=True, kw_only=True)
class _Arguments:
    """What is read of config.json, by its own names and with the library's defaults."""

    hidden_size: Size = 768
    num_hidden_layers: Few = 12
    num_attention_heads: Size = 12
    intermediate_size: Size = 3072
    hidden_act: str = "gelu"
    hidden_dropout: Probability = 0.1
    activation_dropout: Probability = 0.1
    attention_dropout: Probability = 0.1
    feat_proj_layer_norm: bool = True
    feat_proj_dropout: Probability = 0.0
    layerdrop: Probability = 0.1
    feat_extract_norm: FrontendNorm = "group"
    conv_dim: tuple[Size, ...] = (512,) * 7
    conv_stride: tuple[Size, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[Size, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: Size | None = None
    num_conv_pos_embedding_groups: Size = 16
    conv_pos_kernel_size: Size = 19
    do_stable_layer_norm: bool = False
    num_buckets: Size = 320
    max_bucket_distance: Size = 800


@dataclass(frozen=True, kw_only=True)
class _Preprocessing:
    """What is read of preprocessor_config.json."""

    do_normalize: bool | None = None
    sampling_rate: int = SAMPLING_RATE


def rename(names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Our names by those of the folder, and names that the encoder has no place for: heads and quantizers.

    Raises:
        CheckpointError: a weight inside of the encoder that ours does not have.
    """
    names = list(names)
    has_prefix = any(_PREFIX.match(name) for name in names)
    inner = {_PREFIX.sub("", name, count=1): name for name in names if not has_prefix or _PREFIX.match(name)}
    renamed = KEYS.to_ours(inner)
    strange = [inner[name] for name in renamed.unused if name.startswith(_PARTS)]
    if strange:
        raise CheckpointError(
            "this encoder has parts that the package's encoder does not have",
            given=", ".join(strange[:5]) + (f" and {len(strange) - 5} more" if len(strange) > 5 else ""),
            mend="Only plain encoders of the four kinds can be used.",
        )
    known = {inner[name]: ours for name, ours in renamed.names.items()}
    return known, tuple(name for name in names if name not in known)


def to_transformers_names(names: Iterable[str]) -> Renamed:
    """Names in transformers of our weights; those of heads are left over."""
    return KEYS.to_original(names)


def config_from_transformers(content: Mapping[str, Any], preprocessor: Mapping[str, Any]) -> HubertConfig:
    """Our configuration of an encoder.

    Args:
        content: of config.json; what it does not say is as the library has it.
        preprocessor: of preprocessor_config.json; empty where there is none.

    Raises:
        CheckpointError: values that cannot be used, or that ask for what this package does not have.
    """
    family = content.get("model_type")
    if family not in FAMILIES:
        raise CheckpointError(
            "this kind of model cannot be used as a speech encoder",
            given=family,
            mend=f"Known are: {', '.join(FAMILIES)}.",
        )
    refuse_others(content, _REQUIRED)
    arguments = _read(_Arguments, content, "config.json")
    preprocessing = _read(_Preprocessing, preprocessor, "preprocessor_config.json")
    if preprocessing.sampling_rate != SAMPLING_RATE:
        raise CheckpointError(
            "this encoder hears waveforms of another sampling rate",
            given=f"{preprocessing.sampling_rate} Hz",
            mend=f"Use one of {SAMPLING_RATE} Hz; recordings are resampled to that by themselves.",
        )
    try:
        return _config(family, arguments, preprocessing.do_normalize)
    except ValueError as error:
        raise CheckpointError(
            "these arguments describe no encoder that can be built", where="config.json", given=error
        ) from None


def _read(kind: type[T], content: Mapping[str, Any], name: str) -> T:
    known = {field.name for field in fields(cast(Any, kind))}
    try:
        return from_mapping(kind, {key: value for key, value in content.items() if key in known}, name)
    except RecipeError as error:
        raise CheckpointError(error.what, where=error.where, given=error.given, mend="Copy the folder again.") from None


def _config(family: str, arguments: _Arguments, do_normalize: bool | None) -> HubertConfig:
    is_stacked = family == "data2vec-audio"
    norm: FrontendNorm = "layer" if is_stacked else arguments.feat_extract_norm
    kernel, depth = arguments.num_conv_pos_embeddings or 128, 1
    if is_stacked:
        kernel, depth = arguments.conv_pos_kernel_size, arguments.num_conv_pos_embeddings or 5
    if is_stacked and depth == 1:
        raise ValueError("num_conv_pos_embeddings is 1, which only other kinds of model have")
    if not len(arguments.conv_dim) == len(arguments.conv_kernel) == len(arguments.conv_stride):
        raise ValueError("conv_dim, conv_kernel and conv_stride are not equally long")
    if arguments.conv_dim[-1:] == (arguments.hidden_size,):
        raise ValueError("the last of conv_dim is hidden_size, where this package has no projection")
    return HubertConfig(
        encoder=_stack(family, arguments),
        num_units=None,
        dropout=arguments.feat_proj_dropout,
        is_normalized=norm == "layer" if do_normalize is None else do_normalize,
        conv_layers=tuple(zip(arguments.conv_dim, arguments.conv_kernel, arguments.conv_stride, strict=True)),
        conv_norm=norm,
        conv_bias=arguments.conv_bias,
        # As the published models were trained.
        frontend_gradient_scale=0.1 if norm == "group" else 1.0,
        has_feature_norm=arguments.feat_proj_layer_norm or family != "hubert",
        position_kernel=kernel,
        position_groups=arguments.num_conv_pos_embedding_groups,
        position_depth=depth,
    )


def _stack(family: str, arguments: _Arguments) -> StackConfig:
    if arguments.hidden_act not in ACTIVATIONS:
        raise ValueError(f"hidden_act is {arguments.hidden_act}, known are {', '.join(ACTIVATIONS)}")
    return StackConfig(
        dim=arguments.hidden_size,
        ffn_dim=arguments.intermediate_size,
        num_layers=arguments.num_hidden_layers,
        num_heads=arguments.num_attention_heads,
        norm_first=arguments.do_stable_layer_norm and family != "data2vec-audio",
        dropout=arguments.hidden_dropout,
        attention_dropout=arguments.attention_dropout,
        activation_dropout=arguments.activation_dropout,
        activation=ACTIVATIONS[arguments.hidden_act],
        layerdrop=arguments.layerdrop,
        max_relative_distance=None,
        bias_buckets=arguments.num_buckets if family == "wavlm" else None,
        max_bias_distance=arguments.max_bucket_distance,
    )


def to_transformers(config: SpeechEncoderConfig) -> dict[str, Any]:
    """config.json of an encoder as a HuBERT of transformers.

    Raises:
        CheckpointError: the encoder has what HuBERT has not.
    """
    _refuse_unusual(config)
    stack = config.encoder
    channels, kernels, strides = zip(*config.conv_layers, strict=True)
    return {
        "model_type": "hubert",
        "architectures": ["HubertModel"],
        "hidden_size": stack.dim,
        "num_hidden_layers": stack.num_layers,
        "num_attention_heads": stack.num_heads,
        "intermediate_size": stack.ffn_dim,
        "hidden_act": next(theirs for theirs, ours in ACTIVATIONS.items() if ours == stack.activation),
        "hidden_dropout": stack.dropout,
        "activation_dropout": stack.activation_dropout,
        "attention_dropout": stack.attention_dropout,
        "feat_proj_layer_norm": config.has_feature_norm,
        "feat_proj_dropout": config.dropout,
        "layerdrop": stack.layerdrop,
        "feat_extract_norm": config.conv_norm,
        "conv_dim": channels,
        "conv_stride": strides,
        "conv_kernel": kernels,
        "conv_bias": config.conv_bias,
        "num_conv_pos_embeddings": config.position_kernel,
        "num_conv_pos_embedding_groups": config.position_groups,
        "do_stable_layer_norm": stack.norm_first,
    }


def to_preprocessor(config: SpeechEncoderConfig) -> dict[str, Any]:
    """preprocessor_config.json beside it."""
    return {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "feature_size": 1,
        "sampling_rate": SAMPLING_RATE,
        "padding_value": 0.0,
        "do_normalize": config.is_normalized,
        "return_attention_mask": config.conv_norm == "layer",
    }


def _refuse_unusual(config: SpeechEncoderConfig) -> None:
    stack = config.encoder
    unusual = {
        "relative positions": stack.max_relative_distance is not None or stack.bias_buckets is not None,
        "sinusoids": config.has_speech_sinusoids,
        "stacked positions": config.position_depth > 1,
        f"norm_eps {stack.norm_eps}": stack.norm_eps != NORM_EPS,
        "no projection": config.conv_layers[-1][0] == stack.dim,
    }
    if any(unusual.values()):
        raise CheckpointError(
            "this encoder has what HuBERT in transformers has not",
            given=", ".join(name for name, is_so in unusual.items() if is_so),
            mend="Only plain HuBERT encoders can be written.",
        )
