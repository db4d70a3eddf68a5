"""Collation for objectives that need no units: masked speech with distractors, or with what a teacher hears."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lhotse.cut import Cut
from numpy.random import RandomState

from sprachbund.data.batches.augmentation import Augmenter
from sprachbund.data.batches.batch import ContrastiveBatch, TeacherBatch
from sprachbund.data.batches.crops import PlainCrops
from sprachbund.data.batches.masking import SpanMasking, derived_seed, row_generator
from sprachbund.data.batches.rows import drawn_channel_mask, drawn_time_mask, encoder_inputs, pad, row_lengths
from sprachbund.shapes import Array, Bool, Float, Int


@dataclass(frozen=True, kw_only=True)
class MaskedCollator:
    """A crop of each clip with its masks; an augmenter distorts only what the encoder hears."""

    seed: int
    crops: PlainCrops
    masking: SpanMasking
    channel_masking: SpanMasking | None = None
    num_channels: int = 0
    is_normalized: bool = False
    augmenter: Augmenter | None = None

    def waveforms(self, cuts: Sequence[Cut], draw: int) -> list[Float[Array, " _"]]:
        """The crops as they were recorded."""
        return [self.crops(cut, row_generator(self.seed, draw, cut.id, "crop")) for cut in cuts]

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
class ContrastiveCollator(MaskedCollator):
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
class TeacherCollator(MaskedCollator):
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
