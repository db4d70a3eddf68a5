"""Language models small enough for tests, and batches for them."""

from dataclasses import replace
from typing import Any

import torch

from sprachbund.data.batches.text_lines import TextLinesBatch, TextLinesCollator
from sprachbund.data.streams import TextLine
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel

VOCAB_SIZE = 13


def small_config(vocab_size: int = VOCAB_SIZE, **changes: Any) -> TransformerLanguageConfig:
    """Two layers of width 16; changes of the layers go to them."""
    config = TransformerLanguageConfig.tiny(vocab_size)
    own = {name: changes.pop(name) for name in list(changes) if name not in vars(config)}
    decoder = replace(config.decoder, **({"dim": 16, "ffn_dim": 24, "num_layers": 2, "num_heads": 2} | own))
    return replace(config, **({"decoder": decoder} | changes))


def build(seed: int = 0, **changes: Any) -> TransformerLanguageModel:
    """In evaluation mode; nothing in it is random in training either."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return TransformerLanguageModel(small_config(**changes)).eval()


def lines_batch(lengths: tuple[int, ...] = (5, 3, 1), seed: int = 0) -> TextLinesBatch:
    generator = torch.Generator().manual_seed(seed)
    lines = [torch.randint(4, VOCAB_SIZE, (length,), generator=generator).numpy() for length in lengths]
    return TextLinesCollator()([TextLine(f"line-{row}", line) for row, line in enumerate(lines)], 0)
