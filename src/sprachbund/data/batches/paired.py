"""Plans of examples -> batches for models from text to units, and for models from tokens to tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sprachbund.data.batches.batch import SequenceBatch, TextToUnitBatch
from sprachbund.data.batches.crops import NUM_SPECIALS
from sprachbund.data.batches.rows import pad, row_lengths, shift_right
from sprachbund.data.paired_units import PairedExample
from sprachbund.shapes import Tensor
from sprachbund.tokens.vocabulary import EOS, PAD, Vocabulary


@dataclass(frozen=True)
class TokenPair:
    """Tokens to read and tokens to write, without marks at their ends."""

    id: str
    source: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class SequenceCollator:
    """Pairs of token sequences; there is nothing random in them."""

    def __call__(self, pairs: Sequence[TokenPair], draw: int) -> SequenceBatch:
        """Collate the pairs of one plan."""
        sources = [torch.tensor(pair.source) for pair in pairs]
        targets = [torch.tensor([*pair.target, EOS]) for pair in pairs]
        return SequenceBatch(
            ids=tuple(pair.id for pair in pairs),
            tokens=pad(sources, PAD),
            token_lengths=row_lengths(sources),
            decoder_input=pad([shift_right(target) for target in targets], PAD),
            targets=pad(targets, PAD),
            target_lengths=row_lengths(targets),
        )


@dataclass(frozen=True)
class TextToUnitCollator:
    """Phones with their durations and units; there is nothing random in them.

    Args:
        vocabulary: of the phones.
    """

    vocabulary: Vocabulary

    def __call__(self, examples: Sequence[PairedExample], draw: int) -> TextToUnitBatch:
        """Collate the examples of one plan."""
        tokens: list[Tensor] = [torch.tensor(self.vocabulary.ids_of(example.phones)) for example in examples]
        units: list[Tensor] = [torch.from_numpy(example.units) + NUM_SPECIALS for example in examples]
        return TextToUnitBatch(
            ids=tuple(example.id for example in examples),
            tokens=pad(tokens, PAD),
            token_lengths=row_lengths(tokens),
            durations=pad([torch.from_numpy(example.durations) for example in examples]),
            units=pad(units, PAD),
            unit_lengths=row_lengths(units),
        )
