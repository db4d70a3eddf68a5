"""Names and arguments of fairseq's language models (`transformer_lm`, which SpeechT5 releases), and ours."""

from collections.abc import Mapping
from typing import Any

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.checkpoints.key_table import KeyTable
from sprachbund.models.fairseq_names import read_activation, refuse_others, stack_rules
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.nn.prenets import FIRST_POSITION
from sprachbund.nn.transformer import StackConfig
from sprachbund.shapes import Tensor

EMBEDDINGS, OUTPUT = "decoder.embed_tokens.weight", "decoder.output_projection.weight"
_POSITIONS, _OLD_OUTPUT = "decoder.embed_positions.weight", "decoder.embed_out"
_OUR_EMBEDDINGS, _OUR_OUTPUT = "prenet.embedding.weight", "head.weight"

KEYS = KeyTable(
    [
        (EMBEDDINGS, _OUR_EMBEDDINGS),
        (_POSITIONS, "prenet.learned.weight"),
        ("decoder.layernorm_embedding.{kind}", "prenet.norm.{kind}"),
        *stack_rules("decoder"),
        (OUTPUT, _OUR_OUTPUT),
        (_OLD_OUTPUT, _OUR_OUTPUT),  # what fairseq before 0.10 called it where it was not shared
    ],
    # A version mark, and the one-element buffer of sinusoids, whose content is uninitialised memory.
    ignored=["decoder.version", "decoder.embed_positions._float_tensor"],
)
"""Original names <-> ours."""


def is_language_model(checkpoint: FairseqCheckpoint) -> bool:
    """Whether a checkpoint holds such a model: decoder layers that attend to themselves, and nothing else."""
    names = checkpoint.weights
    return (
        EMBEDDINGS in names
        and all(name.startswith("decoder.") for name in names)
        and not any(".encoder_attn." in name for name in names)
    )


# Arguments whose other values the package has no counterpart for: name and the only values.
_REQUIRED: dict[str, tuple[Any, ...]] = {
    "adaptive_input": (False,),
    "adaptive_softmax_cutoff": (None,),
    "character_embeddings": (False,),
    "base_layers": (0,),
    "quant_noise_pq": (0, 0.0),
    "scale_fc": (False,),
    "scale_attn": (False,),
    "scale_heads": (False,),
    "scale_resids": (False,),
}


def config_from_original(arguments: Mapping[str, Any], weights: Mapping[str, Tensor]) -> TransformerLanguageConfig:
    """The configuration that original arguments describe.

    Args:
        arguments: by their original names; missing ones take fairseq's values.
        weights: by their original names; they tell the sizes of the dictionary and of learned positions.

    Raises:
        CheckpointError: an argument asks for what this package does not have.
        ValueError: the arguments do not go together.
    """
    get = arguments.get
    dim = get("decoder_embed_dim", 512)
    refuse_others(arguments, {**_REQUIRED, "decoder_input_dim": (dim,), "decoder_output_dim": (dim,)})
    # The two rows before the first position belong to padding.
    num_learned = len(weights[_POSITIONS]) - FIRST_POSITION if _POSITIONS in weights else None
    has_positions = not get("no_token_positional_embeddings", False)
    default = TransformerLanguageConfig(vocab_size=len(weights[EMBEDDINGS]))
    return TransformerLanguageConfig(
        vocab_size=default.vocab_size,
        decoder=StackConfig(
            dim=dim,
            ffn_dim=get("decoder_ffn_embed_dim", 2048),
            num_layers=get("decoder_layers", 6),
            num_heads=get("decoder_attention_heads", 8),
            # What fairseq sets where it is not said.
            norm_first=get("decoder_normalize_before", True),
            dropout=get("dropout", 0.1),
            attention_dropout=get("attention_dropout", 0.0),
            activation_dropout=get("activation_dropout", 0.0),
            activation=read_activation(get("activation_fn", "relu")),
            layerdrop=float(get("decoder_layerdrop", 0.0)),
            max_relative_distance=None,
        ),
        dropout=get("dropout", 0.1),
        share_embeddings=get("share_decoder_input_output_embed", False),
        scale_embedding=not get("no_scale_embedding", False),
        positions=("sinusoids" if num_learned is None else "learned") if has_positions else "none",
        max_positions=default.max_positions if num_learned is None else num_learned,
        has_embedding_norm=get("layernorm_embedding", False),
        has_final_norm=not get("no_decoder_final_norm", False),
    )


def to_ours(
    weights: Mapping[str, Tensor], config: TransformerLanguageConfig
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Our weights of original ones, and the names that have no place.

    A shared output is the embeddings, whether it is written twice, as fairseq does now, or once, as it did.
    """
    renamed = KEYS.to_ours(weights)
    ours = {new: weights[old] for old, new in renamed.names.items()}
    if config.share_embeddings:
        ours[_OUR_OUTPUT] = ours[_OUR_EMBEDDINGS]
    return ours, renamed.unused


def to_original(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by their original names, as fairseq writes them now."""
    names = KEYS.to_original(weights).names
    return {names[name]: tensor for name, tensor in weights.items()}
