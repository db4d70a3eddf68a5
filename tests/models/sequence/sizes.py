"""Models from tokens to tokens small enough for tests, and batches for them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sprachbund.data.batches.batch import SequenceBatch
from sprachbund.models.sequence.config import SequenceConfig
from sprachbund.models.sequence.model import SequenceModel

VOCAB_SIZE, NUM_TARGETS = 15, 11


def small_config(**changes: Any) -> SequenceConfig:
    config = SequenceConfig.tiny(VOCAB_SIZE, NUM_TARGETS, dropout=0.0)
    stack = replace(config.encoder, dim=16, ffn_dim=24, num_layers=2, num_heads=2, dropout=0.0)
    return replace(config, **({"encoder": stack, "decoder": replace(stack, num_layers=1, dim=12)} | changes))


def build(seed: int = 0, **changes: Any) -> SequenceModel:
    """In evaluation mode; nothing in it is random in training either."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SequenceModel(small_config(**changes)).eval()


def sources(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tokens padded with 1, and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, VOCAB_SIZE, (len(lengths), max(lengths)), generator=generator)
    sizes = torch.tensor(lengths)
    return tokens.masked_fill(torch.arange(max(lengths))[None] >= sizes[:, None], 1), sizes


def sequence_batch(lengths: tuple[int, ...] = (5, 3, 1), targets: tuple[int, ...] = (2, 6, 4)) -> SequenceBatch:
    tokens, sizes = sources(list(lengths))
    generator = torch.Generator().manual_seed(1)
    wanted = torch.randint(4, NUM_TARGETS, (len(targets), max(targets)), generator=generator)
    for row, length in zip(wanted, targets, strict=True):
        row[length - 1], row[length:] = 2, 1
    return SequenceBatch(
        ids=tuple(f"line-{row}" for row in range(len(lengths))),
        tokens=tokens,
        token_lengths=sizes,
        decoder_input=torch.cat([torch.full((len(targets), 1), 2), wanted[:, :-1]], dim=1),
        targets=wanted,
        target_lengths=torch.tensor(targets),
    )
