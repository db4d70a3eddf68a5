import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from sprachbund.data.batches.masking import SpanMasking
from sprachbund.data.batches.rows import (
    drawn_channel_mask,
    drawn_time_mask,
    encoder_inputs,
    pad,
    row_lengths,
    shift_right,
)
from sprachbund.signal.features import normalize_waveform


@given(st.lists(st.integers(4, 9), min_size=1, max_size=8))
def test_shifting_right(tokens: list[int]) -> None:
    target = torch.tensor([*tokens, 2])
    assert shift_right(target).tolist() == [2, *tokens]


def test_padding_fills_up_to_the_longest_row() -> None:
    assert pad([torch.tensor([5]), torch.tensor([6, 7])], 1).tolist() == [[5, 1], [6, 7]]
    assert pad([torch.ones(1, 2), torch.ones(2, 2)]).tolist() == [[[1, 1], [0, 0]], [[1, 1], [1, 1]]]


def test_lengths_are_those_of_the_rows() -> None:
    assert row_lengths([np.zeros(3), np.zeros((2, 5))]).tolist() == [3, 2]


def test_the_encoder_hears_what_its_model_wants() -> None:
    waves = [tiny.tone(2000), tiny.tone(3000, 1)]
    plain = encoder_inputs(waves, [], 0, None, False)
    assert all(np.array_equal(one, other) for one, other in zip(plain, waves, strict=True))
    normal = encoder_inputs(waves, [], 0, None, True)
    assert all(np.array_equal(one, normalize_waveform(other)) for one, other in zip(normal, waves, strict=True))


def test_masks_belong_to_clips(tmp_path) -> None:
    cuts = list(tiny.make_cuts(tmp_path, samples=(9_000, 16_000)))
    waves = [tiny.tone(9_000), tiny.tone(16_000)]
    masking = SpanMasking(length=4, equal_counts=False)
    both = drawn_time_mask(masking, 1, cuts, waves, 0)
    alone = drawn_time_mask(masking, 1, cuts[:1], waves[:1], 0)
    assert both.shape == (2, 49)
    assert torch.equal(both[:1, : alone.shape[1]], alone)
    assert not both[0, alone.shape[1] :].any()
    assert drawn_channel_mask(None, 8, 1, cuts, 0) is None
    channels = drawn_channel_mask(SpanMasking(probability=0.5, length=2, equal_counts=False), 8, 1, cuts, 0)
    assert channels is not None and channels.shape == (2, 8)
