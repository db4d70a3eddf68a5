"""Lines of text as a language model learns them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sprachbund.data.batches.batch import Batch
from sprachbund.data.batches.rows import pad, row_lengths, shift_right
from sprachbund.data.streams import TextLine
from sprachbund.shapes import Int, Tensor
from sprachbund.tokens.vocabulary import EOS, PAD


@dataclass(frozen=True)
class TextLinesBatch(Batch):
    """Lines, and for each of their tokens those before it."""

    tokens: Int[Tensor, "batch token"]  # </s> and the targets but the last
    targets: Int[Tensor, "batch token"]  # tokens and </s>, padded with 1
    target_lengths: Int[Tensor, " batch"]  # </s> included


@dataclass(frozen=True)
class TextLinesCollator:
    """Lines side by side; nothing is drawn."""

    def __call__(self, lines: Sequence[TextLine], draw: int) -> TextLinesBatch:
        """Collate the lines of one plan."""
        targets = [torch.tensor([*line.tokens.tolist(), EOS]) for line in lines]
        return TextLinesBatch(
            ids=tuple(line.id for line in lines),
            tokens=pad([shift_right(target) for target in targets], PAD),
            targets=pad(targets, PAD),
            target_lengths=row_lengths(targets),
        )
