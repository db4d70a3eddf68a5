"""Models from text to units small enough for tests, and batches for them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from sprachbund.data.batches.batch import TextToUnitBatch
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.nn.convolutional_transformer import ConvolutionalStackConfig
from sprachbund.nn.variance import PredictorConfig, VarianceConfig

NUM_PHONES, NUM_UNITS = 13, 15
VARIED: dict[str, Any] = {"pitch": VarianceConfig(num_bins=5, highest=1.0), "energy": VarianceConfig(num_bins=4)}
UNUSED: dict[str, Any] = {name: replace(config, is_used=False) for name, config in VARIED.items()}


def small_config(**changes: Any) -> TextToUnitConfig:
    """Without dropout."""
    stack = ConvolutionalStackConfig(dim=12, ffn_dim=20, kernel=5, num_layers=2, num_heads=2, dropout=0.0)
    config = TextToUnitConfig(
        num_phones=NUM_PHONES,
        num_units=NUM_UNITS,
        encoder=stack,
        decoder=replace(stack, num_layers=1, num_heads=3),
        predictor=PredictorConfig(dim=7, dropout=0.0),
        dropout=0.0,
    )
    return replace(config, **changes)


def build(seed: int = 0, **changes: Any) -> TextToUnit:
    """In evaluation mode, with durations that are neither all zero nor long."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = TextToUnit(small_config(**changes)).eval()
    with torch.no_grad():
        model.duration_predictor.output.bias += 1.0
    return model


def phones(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Phones padded with 1, and how many there are."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(4, NUM_PHONES, (len(lengths), max(lengths)), generator=generator)
    sizes = torch.tensor(lengths)
    return tokens.masked_fill(torch.arange(max(lengths))[None] >= sizes[:, None], 1), sizes


def text_to_unit_batch(lengths: tuple[int, ...] = (5, 3, 1), seed: int = 0) -> TextToUnitBatch:
    tokens, sizes = phones(list(lengths), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    durations = torch.randint(1, 5, tokens.shape, generator=generator).masked_fill(tokens == 1, 0)
    unit_lengths = durations.sum(dim=1)
    width = int(unit_lengths.max())
    units = torch.randint(4, NUM_UNITS, (len(lengths), width), generator=generator)
    return TextToUnitBatch(
        ids=tuple(f"clip-{row}" for row in range(len(lengths))),
        tokens=tokens,
        token_lengths=sizes,
        durations=durations,
        units=units.masked_fill(torch.arange(width)[None] >= unit_lengths[:, None], 1),
        unit_lengths=unit_lengths,
    )
