"""Names and arguments of the original FastText2Unit checkpoints, and ours."""

from collections.abc import Mapping
from typing import Any

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.models.fairseq_names import Rules, attention_rules, refuse_others
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.nn.convolutional_transformer import ConvolutionalStackConfig
from sprachbund.nn.variance import PredictorConfig, VarianceConfig

PHONES, UNITS = "encoder.embed_tokens.weight", "encoder.out_proj.weight"
"""Weights with a row a phone, and with a row a unit."""


def _stack_rules(side: str) -> Rules:
    theirs, ours = f"encoder.{side}_fft_layers.{{n}}", f"{side}.layers.{{n}}"
    return [
        *attention_rules(f"{theirs}.self_attn", f"{ours}.attention"),
        (f"{theirs}.layer_norm.{{kind}}", f"{ours}.attention_norm.{{kind}}"),
        (f"{theirs}.ffn.ffn.0.{{kind}}", f"{ours}.inner.{{kind}}"),
        (f"{theirs}.ffn.ffn.2.{{kind}}", f"{ours}.outer.{{kind}}"),
        (f"{theirs}.ffn.layer_norm.{{kind}}", f"{ours}.final_norm.{{kind}}"),
    ]


def _predictor_rules(name: str, ours: str) -> Rules:
    theirs = f"encoder.var_adaptor.{name}_predictor"
    return [
        (f"{theirs}.conv1.0.{{kind}}", f"{ours}.convolutions.0.{{kind}}"),
        (f"{theirs}.ln1.{{kind}}", f"{ours}.norms.0.{{kind}}"),
        (f"{theirs}.conv2.0.{{kind}}", f"{ours}.convolutions.1.{{kind}}"),
        (f"{theirs}.ln2.{{kind}}", f"{ours}.norms.1.{{kind}}"),
        (f"{theirs}.proj.{{kind}}", f"{ours}.output.{{kind}}"),
    ]


KEYS = KeyTable(
    [
        (PHONES, "embedding.weight"),
        ("encoder.pos_emb_alpha", "phone_position_scale"),
        *_stack_rules("encoder"),
        *_predictor_rules("duration", "duration_predictor"),
        *_predictor_rules("pitch", "pitch.predictor"),
        ("encoder.var_adaptor.embed_pitch.weight", "pitch.embedding.weight"),
        *_predictor_rules("energy", "energy.predictor"),
        ("encoder.var_adaptor.embed_energy.weight", "energy.embedding.weight"),
        ("encoder.dec_pos_emb_alpha", "unit_position_scale"),
        *_stack_rules("decoder"),
        ("encoder.out_proj.{kind}", "head.{kind}"),
    ],
    # A one-element buffer, whose content is uninitialised memory.
    ignored=["encoder.embed_positions._float_tensor"],
)
"""Original names <-> ours."""

_ARCHITECTURE = "fasttext2unit"


def is_text_to_unit(checkpoint: FairseqCheckpoint) -> bool:
    """Whether a checkpoint holds such a model; FastSpeech 2 has the same weights, but says that it makes speech."""
    has_weights = all(name in checkpoint.weights for name in (PHONES, UNITS, "encoder.dec_pos_emb_alpha"))
    return has_weights and (checkpoint.architecture or _ARCHITECTURE).startswith(_ARCHITECTURE)


# Arguments whose other values the package has no counterpart for: name and the only value.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "add_postnet": (False,),
    "n_frames_per_step": (1,),
    "speaker_to_id": (None,),
    "speaker_embedding_type": (None,),
}


def config_from_original(config: Mapping[str, Any], num_phones: int, num_units: int) -> TextToUnitConfig:
    """The configuration that original arguments describe, with original numerics.

    Args:
        config: arguments by their original names; missing ones take the published small values.
        num_phones: entries of the dictionary of phones.
        num_units: entries of the hidden-unit dictionary.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
        ValueError: the arguments do not go together.
    """
    refuse_others(config, _REQUIRED)
    get = config.get
    default = PredictorConfig()
    return TextToUnitConfig(
        num_phones=num_phones,
        num_units=num_units,
        encoder=_stack_config(config, "encoder"),
        decoder=_stack_config(config, "decoder"),
        predictor=PredictorConfig(
            dim=get("var_pred_hidden_dim", default.dim),
            kernel=get("var_pred_kernel_size", default.kernel),
            dropout=get("var_pred_dropout", default.dropout),
        ),
        dropout=get("dropout", 0.2),
        pitch=_variance_config(config, "pitch", is_used=get("use_pitch", False)),
        energy=_variance_config(config, "energy", is_used=get("use_energe", False)),  # as it is spelled there
        original_numerics=True,
    )


def _stack_config(arguments: Mapping[str, Any], side: str) -> ConvolutionalStackConfig:
    get, default = arguments.get, ConvolutionalStackConfig()
    return ConvolutionalStackConfig(
        dim=get(f"{side}_embed_dim", default.dim),
        ffn_dim=get("fft_hidden_dim", default.ffn_dim),
        kernel=get("fft_kernel_size", default.kernel),
        num_layers=get(f"{side}_layers", default.num_layers),
        num_heads=get(f"{side}_attention_heads", default.num_heads),
        dropout=get("dropout", default.dropout),
        attention_dropout=get("attention_dropout", default.attention_dropout),
    )


def _variance_config(arguments: Mapping[str, Any], name: str, *, is_used: bool) -> VarianceConfig:
    default = VarianceConfig()
    lowest, highest = arguments.get(f"{name}_min"), arguments.get(f"{name}_max")
    return VarianceConfig(
        is_used=is_used,
        num_bins=arguments.get("var_pred_n_bins", default.num_bins),
        # Training data without pitch says nothing of its range.
        lowest=default.lowest if lowest is None else lowest,
        highest=default.highest if highest is None else highest,
    )
