"""Names and arguments of the original SpeechUT, and ours."""

from collections.abc import Mapping
from typing import Any

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.models.fairseq_names import Rules
from sprachbund.models.speech_units import keys as shared
from sprachbund.models.speechut.config import SpeechUTConfig
from sprachbund.shapes import Tensor

UNITS = "label_embs_concat"
_UNIT_RULES: Rules = [
    ("final_proj.{kind}", "unit_predictor.projection.{kind}"),
    (UNITS, "unit_predictor.embeddings"),
    ("code_encoder_proj.{kind}", "top_predictor.{kind}"),
]


def key_table(config: SpeechUTConfig) -> KeyTable:
    """Original names <-> ours of the parts that the configuration has."""
    return shared.key_table(config, _UNIT_RULES)


def config_from_original(config: Mapping[str, Any], vocab_size: int | None, num_units: int | None) -> SpeechUTConfig:
    """The configuration that original arguments describe, with original numerics.

    Args:
        config: arguments by their original names; missing ones take the published base values.
        vocab_size: entries of the text dictionary; None for a model that knows no text.
        num_units: entries of the hidden-unit dictionary; None for a model without what learns from units.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
        ValueError: the arguments do not go together.
    """
    arguments = shared.said(config)
    fields = shared.shared_fields(arguments, vocab_size, num_units)
    decoder: dict[str, Any] = {"decoder": None}
    if vocab_size is not None and arguments.get("add_decoder", True):
        decoder = shared.decoder_fields(
            shared.inner(arguments, "text_transformer"),
            is_relative=bool(arguments.get("use_rel_pos_enc", True)),
            is_reset=bool(arguments.get("reset_decoder_embedding_config", True)),
        )
    return SpeechUTConfig(**fields, **decoder)


def to_ours(weights: Mapping[str, Tensor], config: SpeechUTConfig) -> dict[str, Tensor]:
    """Our weights of original ones that stand as pre-training writes them.

    Raises:
        CheckpointError: a weight that is held twice is not the same both times.
    """
    return shared.rename(key_table(config), weights).weights


def to_original(weights: Mapping[str, Tensor], config: SpeechUTConfig) -> dict[str, Tensor]:
    """Our weights by their original names, as pre-training writes them."""
    return shared.to_original(key_table(config), weights)
