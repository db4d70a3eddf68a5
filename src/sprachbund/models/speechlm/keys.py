"""Names and arguments of the original SpeechLM, and ours."""

from collections.abc import Mapping
from typing import Any

from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.models.fairseq_names import Rules
from sprachbund.models.speech_units import keys as shared
from sprachbund.models.speechlm.config import SpeechLMConfig
from sprachbund.shapes import Tensor

UNITS, TOP_UNITS = "label_embs_list.0", "label_embs_list.1"
_UNIT_RULES: Rules = [
    ("final_proj_list.0.{kind}", "unit_predictor.projection.{kind}"),
    (UNITS, "unit_predictor.embeddings"),
    ("final_proj_list.1.{kind}", "top_predictor.projection.{kind}"),
    (TOP_UNITS, "top_predictor.embeddings"),
]


def key_table(config: SpeechLMConfig) -> KeyTable:
    """Original names <-> ours of the parts that the configuration has."""
    return shared.key_table(config, _UNIT_RULES)


def config_from_original(
    config: Mapping[str, Any],
    vocab_size: int | None,
    num_units: int | None,
    *,
    num_top_units: int | None = None,
    decoder: Mapping[str, Any] | None = None,
) -> SpeechLMConfig:
    """The configuration that original arguments describe, with original numerics.

    Args:
        config: arguments by their original names; missing ones take the published base values.
        vocab_size: entries of the text dictionary; None for a model that knows no text.
        num_units: entries of the hidden-unit dictionary; None for a model without what learns from units.
        num_top_units: entries of the second hidden-unit dictionary; None for a model with one.
        decoder: arguments of the model that was fine-tuned with a text decoder; None for one without.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
        ValueError: the arguments do not go together.
    """
    fields = shared.shared_fields(config, vocab_size, num_units)
    if decoder is not None:
        arguments = shared.said(decoder)
        fields |= shared.decoder_fields(
            _nested(arguments), is_relative=bool(arguments.get("use_rel_pos_enc", True)), is_reset=False
        )
    return SpeechLMConfig(**fields, num_top_units=num_top_units)


def _nested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a decoder with ``decoder_`` before their names, as the Transformer's have them."""
    prefix = "decoder_"
    side = {name.removeprefix(prefix): value for name, value in arguments.items() if name.startswith(prefix)}
    # What fine-tuning takes where it is not said.
    return {"dropout": 0.0, "attention_dropout": 0.0, **arguments, "decoder": {"layerdrop": 0.0, **side}}


def to_ours(weights: Mapping[str, Tensor], config: SpeechLMConfig) -> dict[str, Tensor]:
    """Our weights of original ones that stand as pre-training writes them.

    Raises:
        CheckpointError: a weight that is held twice is not the same both times.
    """
    return shared.rename(key_table(config), weights).weights


def to_original(weights: Mapping[str, Tensor], config: SpeechLMConfig) -> dict[str, Tensor]:
    """Our weights by their original names, as pre-training writes them."""
    return shared.to_original(key_table(config), weights)
