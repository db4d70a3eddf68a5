import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.lengths import (
    frames_from_samples,
    padding_mask_from_lengths,
    samples_per_frame,
)


@given(st.integers(0, 100_000))
def test_the_closed_form(num_samples):
    assert frames_from_samples(num_samples) == max(0, (num_samples - 80) // 320)


@given(st.integers(1, 3000), st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=3))
def test_equals_a_real_convolution(num_samples, strides):
    signal, length = torch.zeros(1, 1, num_samples), num_samples
    for kernel, stride in strides:
        if signal.shape[-1] < kernel:
            length = 0
            break
        signal = torch.nn.functional.conv1d(signal, torch.zeros(1, 1, kernel), stride=stride)
        length = signal.shape[-1]
    assert frames_from_samples(num_samples, strides) == length


def test_samples_per_frame():
    assert samples_per_frame() == 320


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_masks_hold_padding_behind_the_length(lengths):
    mask = padding_mask_from_lengths(torch.tensor(lengths), 20)
    assert mask.tolist() == [[place >= length for place in range(20)] for length in lengths]
    assert not mask[:, :1][torch.tensor(lengths) > 0].any()
