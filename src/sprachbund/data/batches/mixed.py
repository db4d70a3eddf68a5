"""Collation for models that read units in the place of speech: masked speech, and where its states may give way."""

from collections.abc import Sequence
from dataclasses import dataclass

from lhotse.cut import Cut

from sprachbund.data.batches.batch import MixedUnitBatch
from sprachbund.data.batches.masked import UnitCollator
from sprachbund.data.batches.masking import SpanMasking, row_generator
from sprachbund.data.batches.rows import drawn_mask, unit_rows


@dataclass(frozen=True, kw_only=True)
class MixedUnitCollator(UnitCollator):
    """Masked speech with units and a second mask, of states to be swapped (SpeechLM, section 3.3).

    Args:
        mixing: spans of the second mask; None swaps none.
        labels_per_frame: with several labels a frame, which of them a frame takes is drawn once a batch.
    """

    mixing: SpanMasking | None
    labels_per_frame: int = 1

    def __call__(self, cuts: Sequence[Cut], draw: int) -> MixedUnitBatch:
        """Collate the cuts of one plan."""
        crops = [self.crops(cut, one) for cut, one in zip(cuts, self.generators(cuts, draw), strict=True)]
        waveforms = [waveform for waveform, _ in crops]
        mix_mask = None
        if self.mixing is not None:
            mix_mask = drawn_mask(self.mixing, self.seed, cuts, waveforms, draw, "mix mask")
        offset = row_generator(self.seed, draw, "", "label offset").randint(self.labels_per_frame)
        return MixedUnitBatch(
            **self.masked(waveforms, cuts, draw),
            units=unit_rows([units for _, units in crops]),
            mix_mask=mix_mask,
            label_offset=int(offset),
        )
