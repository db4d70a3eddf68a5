import dataclasses

import pytest
import torch

from sprachbund.data.batches.batch import Batch, TextBatch, TranscribedBatch


def transcribed(**changes: object) -> TranscribedBatch:
    values: dict[str, object] = {
        "ids": ("a", "b"),
        "waveforms": torch.zeros(2, 5),
        "waveform_lengths": torch.tensor([5, 3]),
        "time_mask": None,
        "channel_mask": torch.zeros(2, 4, dtype=torch.bool),
        "decoder_input": torch.ones(2, 3, dtype=torch.int64),
        "targets": torch.ones(2, 3, dtype=torch.int64),
        "target_lengths": torch.tensor([3, 2]),
    }
    return TranscribedBatch(**{**values, **changes})  # type: ignore[arg-type]


def test_moving_takes_every_tensor_along_and_leaves_the_rest() -> None:
    batch = transcribed()
    moved = batch.to("meta")
    assert moved.ids == batch.ids
    assert moved.time_mask is None
    for field in dataclasses.fields(batch):
        before, after = getattr(batch, field.name), getattr(moved, field.name)
        if isinstance(before, torch.Tensor):
            assert after.device.type == "meta"
            assert (after.shape, after.dtype) == (before.shape, before.dtype)
            assert before.device.type == "cpu"


def test_moving_keeps_the_kind_and_plain_numbers() -> None:
    tokens = torch.ones(1, 2, dtype=torch.int64)
    one = torch.tensor([2])
    positions = torch.zeros(2, dtype=torch.bool)
    batch = TextBatch(("x",), tokens, one, tokens, tokens, one, positions, seed=7).to("cpu")
    assert isinstance(batch, TextBatch)
    assert isinstance(batch, Batch)
    assert batch.seed == 7


def test_a_batch_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        transcribed().ids = ()  # type: ignore[misc]
