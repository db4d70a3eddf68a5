import pytest
import torch

from sprachbund.data.batches.batch import MixedUnitBatch
from sprachbund.data.batches.unit_text import UnitLinesBatch, UnitTextBatch
from sprachbund.training.padding import padding


def rows(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(len(lengths), max(lengths), dtype=torch.int64), torch.tensor(lengths)


def test_frames_units_and_tokens_are_positions() -> None:
    waveforms, waveform_lengths = rows(3200, 1600)  # 10 and 5 frames
    speech = MixedUnitBatch(
        ids=("a", "b"),
        waveforms=waveforms.float(),
        waveform_lengths=waveform_lengths,
        time_mask=torch.zeros(2, 9, dtype=torch.bool),
        units=torch.zeros(2, 20, dtype=torch.int64),  # labels of frames are counted with these
        mix_mask=None,
    )
    units, unit_lengths = rows(8, 7, 4)
    targets, target_lengths = rows(3, 2, 2)
    pairs = UnitTextBatch(("a", "b", "c"), units, unit_lengths, targets, targets, target_lengths)
    alone = UnitLinesBatch(("a", "b", "c"), units, unit_lengths)
    assert padding({"speech": speech}) == (5, 20)
    assert padding({"paired": pairs}) == (5 + 2, 24 + 9)
    assert padding({"speech": speech, "paired": pairs, "units": alone}) == (5 + 7 + 5, 20 + 33 + 24)


@pytest.mark.parametrize("length", [1, 7])
def test_rows_of_one_length_have_none(length: int) -> None:
    empty, total = padding({"units": UnitLinesBatch(("a", "b"), *rows(length, length))})
    assert (empty, total) == (0, 2 * length)
