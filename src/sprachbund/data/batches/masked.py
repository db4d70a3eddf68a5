"""Collation for encoders alone: masked speech with units, with distractors, or with what a teacher hears."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lhotse.cut import Cut
from numpy.random import RandomState

from sprachbund.data.batches.augmentation import Augmenter
from sprachbund.data.batches.batch import ContrastiveBatch, TeacherBatch, UnitBatch
from sprachbund.data.batches.crops import PlainCrops, UnitCrops
from sprachbund.data.batches.masking import SpanMasking, derived_seed, row_generator
from sprachbund.data.batches.rows import (
    drawn_channel_mask,
    drawn_time_mask,
    encoder_inputs,
    pad,
    row_lengths,
    unit_rows,
)
from sprachbund.shapes import Array, Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class MaskedCollator:
    """Masked speech; an augmenter distorts only what the encoder hears, which so learns to denoise (WavLM, III-B)."""

    seed: int
    masking: SpanMasking
    channel_masking: SpanMasking | None = None
    num_channels: int = 0
    is_normalized: bool = False
    augmenter: Augmenter | None = None

    def generators(self, cuts: Sequence[Cut], draw: int) -> list[RandomState]:
        """What the crop of each clip is drawn from."""
        return [row_generator(self.seed, draw, cut.id, "crop") for cut in cuts]

    def masked(self, waveforms: Sequence[Float[Array, " _"]], cuts: Sequence[Cut], draw: int) -> dict[str, Any]:
        """The fields of a `MaskedBatch`."""
        inputs = encoder_inputs(waveforms, cuts, draw, self.augmenter, self.is_normalized)
        return {
            "ids": tuple(cut.id for cut in cuts),
            "waveforms": pad([torch.from_numpy(waveform) for waveform in inputs]),
            "waveform_lengths": row_lengths(inputs),
            "time_mask": drawn_time_mask(self.masking, self.seed, cuts, inputs, draw),
            "channel_mask": drawn_channel_mask(self.channel_masking, self.num_channels, self.seed, cuts, draw),
        }


@dataclass(frozen=True, kw_only=True)
class UnitCollator(MaskedCollator):
    """Masked speech with units, which are always those of the clean crop (HuBERT, section II)."""

    crops: UnitCrops

    def __call__(self, cuts: Sequence[Cut], draw: int) -> UnitBatch:
        """Collate the cuts of one plan."""
        crops = [self.crops(cut, one) for cut, one in zip(cuts, self.generators(cuts, draw), strict=True)]
        units = unit_rows([units for _, units in crops])
        return UnitBatch(**self.masked([waveform for waveform, _ in crops], cuts, draw), units=units)


@dataclass(frozen=True, kw_only=True)
class PlainCollator(MaskedCollator):
    """Masked speech of plain crops."""

    crops: PlainCrops

    def waveforms(self, cuts: Sequence[Cut], draw: int) -> list[Float[Array, " _"]]:
        """The crops as they were recorded."""
        return [self.crops(cut, one) for cut, one in zip(cuts, self.generators(cuts, draw), strict=True)]


@dataclass(frozen=True, kw_only=True)
class ContrastiveCollator(PlainCollator):
    """Masked speech, and distractors of each masked frame (wav2vec 2.0, section 3.2)."""

    num_distractors: int

    def __call__(self, cuts: Sequence[Cut], draw: int) -> ContrastiveBatch:
        """Collate the cuts of one plan."""
        masked = self.masked(self.waveforms(cuts, draw), cuts, draw)
        generators = [row_generator(self.seed, draw, cut.id, "distractors") for cut in cuts]
        chosen = distractors(masked["time_mask"].numpy(), self.num_distractors, generators)
        return ContrastiveBatch(
            **masked,
            distractors=torch.from_numpy(chosen),
            seed=derived_seed(self.seed, draw, "", "quantizer"),
        )


@dataclass(frozen=True, kw_only=True)
class TeacherCollator(PlainCollator):
    """Masked speech, and the same as its teacher wants it."""

    teacher_is_normalized: bool

    def __call__(self, cuts: Sequence[Cut], draw: int) -> TeacherBatch:
        """Collate the cuts of one plan."""
        waveforms = self.waveforms(cuts, draw)
        heard = encoder_inputs(waveforms, cuts, draw, None, self.teacher_is_normalized)
        clean = pad([torch.from_numpy(waveform) for waveform in heard])
        return TeacherBatch(**self.masked(waveforms, cuts, draw), clean=clean)


def distractors(
    time_mask: Bool[Array, "batch frame"], count: int, generators: Sequence[RandomState]
) -> Int[Array, "batch frame distractor"]:
    """For each masked frame others of the same row, all equally likely, drawn with replacement.

    Rows with a single masked frame have none; there, as at frames that are not masked, are zeros.
    """
    chosen = np.zeros((*time_mask.shape, count), dtype=np.int32)
    for row, (mask, generator) in enumerate(zip(time_mask, generators, strict=True)):
        frames = np.flatnonzero(mask)
        if len(frames) > 1:
            drawn = generator.randint(0, len(frames) - 1, size=(len(frames), count))
            drawn += drawn >= np.arange(len(frames))[:, None]  # never the frame itself
            chosen[row, frames] = frames[drawn]
    return chosen
