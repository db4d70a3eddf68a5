from dataclasses import replace

import numpy as np
import pytest
import torch
from lhotse.cut import Cut

import tiny
from sprachbund.data.batches.crops import LabelledCrops
from sprachbund.data.batches.masked import UnitCollator
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.mixed import MixedUnitCollator
from sprachbund.data.units import attach_units
from sprachbund.lengths import frames_from_samples

MASKING = SpanMasking(length=4, equal_counts=False)
MIXING = SpanMasking(probability=0.4, length=2, equal_counts=False)


@pytest.fixture(scope="module")
def collator_and_cuts(tmp_path_factory: pytest.TempPathFactory) -> tuple[MixedUnitCollator, list[Cut]]:
    folder, units = tmp_path_factory.mktemp("mixed"), tiny.unit_model()
    cuts = list(attach_units(tiny.make_cuts(folder, 5), units, folder / "units"))
    crops = LabelledCrops(label_rate=int(units.label_rate), unit_fingerprint=units.fingerprint, max_samples=9_000)
    collator = MixedUnitCollator(seed=3, crops=crops, masking=MASKING, mixing=MIXING, labels_per_frame=2)
    return collator, cuts


def test_speech_and_masks_are_those_of_a_plain_collator_and_mixing_is_its_own(
    collator_and_cuts: tuple[MixedUnitCollator, list[Cut]],
) -> None:
    collator, cuts = collator_and_cuts
    batch = collator(cuts, 4)
    plain = UnitCollator(seed=3, crops=collator.crops, masking=MASKING)(cuts, 4)
    for name in ("waveforms", "time_mask", "units"):
        assert torch.equal(getattr(batch, name), getattr(plain, name)), name
    assert batch.mix_mask is not None and batch.mix_mask.shape == batch.time_mask.shape
    for row, samples in enumerate(batch.waveform_lengths.tolist()):
        frames = frames_from_samples(samples)
        assert batch.mix_mask[row, :frames].any() and not batch.mix_mask[row, frames:].any()
    alike = replace(collator, mixing=MASKING)(cuts, 4)
    assert alike.mix_mask is not None and not torch.equal(alike.mix_mask, alike.time_mask)
    assert replace(collator, mixing=None)(cuts, 4).mix_mask is None


def test_a_row_is_the_same_alone(collator_and_cuts: tuple[MixedUnitCollator, list[Cut]]) -> None:
    collator, cuts = collator_and_cuts
    together = collator(cuts, 4)
    for row, cut in enumerate(cuts):
        alone = collator([cut], 4)
        frames = alone.time_mask.shape[1]
        assert together.mix_mask is not None and alone.mix_mask is not None
        assert torch.equal(together.mix_mask[row, :frames], alone.mix_mask[0])
        assert together.label_offset == alone.label_offset


def test_which_label_a_frame_takes_changes_with_the_draw(
    collator_and_cuts: tuple[MixedUnitCollator, list[Cut]],
) -> None:
    collator, cuts = collator_and_cuts
    offsets = [collator(cuts[:1], draw).label_offset for draw in range(20)]
    assert set(offsets) == {0, 1}
    assert offsets == [collator(cuts[:2], draw).label_offset for draw in range(20)]
    assert replace(collator, labels_per_frame=1)(cuts[:1], 0).label_offset == 0
    assert isinstance(offsets[0], int) and not isinstance(offsets[0], np.integer)
