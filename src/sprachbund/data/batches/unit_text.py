"""Units with their text, and units alone, as batches."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sprachbund.data.batches.batch import Batch
from sprachbund.data.batches.masking import SpanMasking, row_generator, time_mask
from sprachbund.data.batches.rows import pad, row_lengths, shift_right
from sprachbund.data.unit_streams import UnitLine, UnitText
from sprachbund.shapes import Array, Bool, Int, Tensor
from sprachbund.tokens.vocabulary import EOS, PAD


@dataclass(frozen=True)
class UnitTextBatch(Batch):
    """Units, and the text that they stand for."""

    units: Int[Tensor, "batch unit"]  # dictionary ids, padded with 1
    unit_lengths: Int[Tensor, " batch"]
    decoder_input: Int[Tensor, "batch target"]  # </s> and the targets but the last
    targets: Int[Tensor, "batch target"]  # tokens and </s>, padded with 1
    target_lengths: Int[Tensor, " batch"]  # </s> included
    unit_mask: Bool[Tensor, "batch unit"] | None = None  # True where the mask embedding stands for a unit


@dataclass(frozen=True)
class UnitLinesBatch(Batch):
    """Units alone."""

    units: Int[Tensor, "batch unit"]  # dictionary ids, padded with 1
    unit_lengths: Int[Tensor, " batch"]
    unit_mask: Bool[Tensor, "batch unit"] | None = None  # True where a unit is hidden, and to be told


@dataclass(frozen=True, kw_only=True)
class UnitTextCollator:
    """Pairs side by side.

    Args:
        has_unit_end: end units with </s>, as the unit encoders of SpeechUT and SpeechLM read them.
        masking: of the units; None masks none.
        seed: of the masks.
    """

    has_unit_end: bool = True
    masking: SpanMasking | None = None
    seed: int = 0

    def __call__(self, pairs: Sequence[UnitText], draw: int) -> UnitTextBatch:
        """Collate the pairs of one plan."""
        units = _rows([pair.units for pair in pairs], self.has_unit_end)
        targets = _rows([pair.tokens for pair in pairs], True)
        return UnitTextBatch(
            ids=tuple(pair.id for pair in pairs),
            units=pad(units, PAD),
            unit_lengths=row_lengths(units),
            decoder_input=pad([shift_right(target) for target in targets], PAD),
            targets=pad(targets, PAD),
            target_lengths=row_lengths(targets),
            unit_mask=_unit_mask(self.masking, self.seed, [pair.id for pair in pairs], units, draw),
        )


@dataclass(frozen=True, kw_only=True)
class UnitLinesCollator:
    """Lines of units side by side.

    Args:
        has_unit_end: end units with </s>.
        masking: of the units; None masks none.
        seed: of the masks.
    """

    has_unit_end: bool = True
    masking: SpanMasking | None = None
    seed: int = 0

    def __call__(self, lines: Sequence[UnitLine], draw: int) -> UnitLinesBatch:
        """Collate the lines of one plan."""
        units = _rows([line.units for line in lines], self.has_unit_end)
        return UnitLinesBatch(
            ids=tuple(line.id for line in lines),
            units=pad(units, PAD),
            unit_lengths=row_lengths(units),
            unit_mask=_unit_mask(self.masking, self.seed, [line.id for line in lines], units, draw),
        )


def _unit_mask(
    masking: SpanMasking | None, seed: int, ids: Sequence[str], units: Sequence[Int[Tensor, " _"]], draw: int
) -> Bool[Tensor, "batch unit"] | None:
    """Masked units of every row, drawn from a generator of its own."""
    if masking is None:
        return None
    lengths = row_lengths(units).numpy()
    generators = [row_generator(seed, draw, one, "unit mask") for one in ids]
    return torch.from_numpy(time_mask(lengths, int(lengths.max()), masking, generators))


def _rows(lines: Sequence[Int[Array, " _"]], has_end: bool) -> list[Int[Tensor, " _"]]:
    ends = [EOS] if has_end else []
    return [torch.tensor([*line.tolist(), *ends], dtype=torch.int64) for line in lines]
