from pathlib import Path
from typing import Any

import pytest
import torch

from models.language_model.sizes import VOCAB_SIZE, build
from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError
from sprachbund.models.language_model.keys import (
    EMBEDDINGS,
    OUTPUT,
    config_from_original,
    is_language_model,
    to_original,
    to_ours,
)
from sprachbund.shapes import Tensor

ARGUMENTS: dict[str, Any] = {
    "decoder_embed_dim": 16,
    "decoder_input_dim": 16,
    "decoder_output_dim": 16,
    "decoder_ffn_embed_dim": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "dropout": 0.0,
    "activation_fn": "gelu",
    "share_decoder_input_output_embed": True,
}
# What our configuration says, and what the original arguments say of the same.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "usual": ({}, {}),
    "norm last": ({"norm_first": False}, {"decoder_normalize_before": False}),
    "no final norm": ({"has_final_norm": False}, {"no_decoder_final_norm": True}),
    "apart": ({"share_embeddings": False}, {"share_decoder_input_output_embed": False}),
    "learned": ({"positions": "learned", "max_positions": 7}, {"decoder_learned_pos": True}),
    "no positions": ({"positions": "none"}, {"no_token_positional_embeddings": True}),
    "unscaled": ({"scale_embedding": False}, {"no_scale_embedding": True}),
    "normed": ({"has_embedding_norm": True}, {"layernorm_embedding": True}),
    "rates": ({"attention_dropout": 0.2, "layerdrop": 0.3}, {"attention_dropout": 0.2, "decoder_layerdrop": 0.3}),
    "relu": ({"activation": "relu"}, {"activation_fn": "relu"}),
}
each_kind = pytest.mark.parametrize(("ours", "theirs"), KINDS.values(), ids=KINDS.keys())


def original(**changes: Any) -> dict[str, Tensor]:
    return to_original(build(**changes).state_dict())


@each_kind
def test_arguments_and_weights_go_there_and_back(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    model, weights = build(**ours), original(**ours)
    config = config_from_original(ARGUMENTS | theirs, weights)
    assert config == model.config
    found, unused = to_ours(weights, config)
    assert unused == () and found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())
    assert all(name.startswith("decoder.") for name in weights)


def test_older_files_are_read() -> None:
    """A shared output was not written, another one had another name; marks are in all of them."""
    weights = original()
    config = config_from_original(ARGUMENTS, weights)
    marks = {"decoder.version": torch.ones(1), "decoder.embed_positions._float_tensor": torch.ones(1)}
    found, unused = to_ours({name: value for name, value in weights.items() if name != OUTPUT} | marks, config)
    assert set(unused) == set(marks)
    assert torch.equal(found["head.weight"], weights[EMBEDDINGS])
    apart = original(share_embeddings=False)
    old = {name: value for name, value in apart.items() if name != OUTPUT} | {"decoder.embed_out": apart[OUTPUT]}
    found, _ = to_ours(old, config_from_original(ARGUMENTS | {"share_decoder_input_output_embed": False}, old))
    assert torch.equal(found["head.weight"], apart[OUTPUT])


def test_missing_arguments_are_those_of_fairseq() -> None:
    config = config_from_original({}, {EMBEDDINGS: torch.zeros(VOCAB_SIZE, 512)})
    assert (config.decoder.dim, config.decoder.num_layers, config.decoder.activation) == (512, 6, "relu")
    assert config.decoder.norm_first and config.scale_embedding and not config.share_embeddings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adaptive_input", True), ("adaptive_softmax_cutoff", "100,200"), ("character_embeddings", True),
        ("base_layers", 1), ("decoder_input_dim", 8), ("decoder_output_dim", 8), ("scale_heads", True),
        ("activation_fn", "maxout"),
    ],
)  # fmt: skip
def test_what_the_package_does_not_have_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=name):
        config_from_original(ARGUMENTS | {name: value}, original())


def test_a_language_model_is_recognised() -> None:
    def is_one(*names: str) -> bool:
        weights = {name: torch.ones(1) for name in names}
        return is_language_model(FairseqCheckpoint(Path("lm.pt"), None, {}, {}, False, weights))

    assert is_one(*original())
    assert not is_one("decoder.layers.0.fc1.weight")
    assert not is_one(EMBEDDINGS, "encoder.embed_tokens.weight")
    assert not is_one(EMBEDDINGS, "decoder.layers.0.encoder_attn.q_proj.weight")
