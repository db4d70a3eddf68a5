import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sprachbund.lengths import frames_from_samples
from sprachbund.nn.waveform_frontend import (
    WaveformFrontend,
    _MaskedNorm,
    frame_lengths,
    frame_lengths_of_padding_mask,
    masked_channel_norm,
)

LAYERS = ((6, 10, 5), (6, 3, 2), (8, 3, 2))
STRIDES = tuple(layer[1:] for layer in LAYERS)


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=5))
def test_batched_lengths_are_those_of_each(samples):
    expected = [frames_from_samples(length, STRIDES) for length in samples]
    assert frame_lengths(torch.tensor(samples), STRIDES).tolist() == expected


@given(st.lists(st.integers(1, 400), min_size=1, max_size=4), st.integers(0, 100), st.integers(1, 20))
def test_the_original_rule_is_that_of_its_padding_mask(lengths, extra, num_frames):
    num_samples = max(*lengths, num_frames) + extra
    mask = torch.arange(num_samples)[None] >= torch.tensor(lengths)[:, None]
    used = mask[:, : num_samples - num_samples % num_frames]
    expected = (~used.view(len(lengths), num_frames, -1).all(-1)).sum(1)
    assert torch.equal(frame_lengths_of_padding_mask(torch.tensor(lengths), num_samples, num_frames), expected)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(2, 30), min_size=2, max_size=4), st.integers(0, 99))
def test_the_masked_norm_is_a_group_norm_of_each_row_alone(lengths, seed):
    torch.manual_seed(seed)
    values = torch.randn(len(lengths), 3, max(lengths)) * 3 + 5
    weight, bias = torch.randn(3), torch.randn(3)
    result = masked_channel_norm(values, torch.tensor(lengths), weight, bias)
    for row, length in enumerate(lengths):
        alone = F.group_norm(values[row : row + 1, :, :length], 3, weight, bias)
        torch.testing.assert_close(result[row, :, :length], alone[0], rtol=1e-4, atol=1e-5)


def test_the_masked_norm_has_the_gradient_of_a_group_norm():
    torch.manual_seed(0)
    lengths = [9, 4]
    values = torch.randn(2, 3, 9, requires_grad=True)
    weight, bias = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
    target = torch.randn(2, 3, 9)
    result = masked_channel_norm(values, torch.tensor(lengths), weight, bias)
    loss = sum((result[row, :, :n] * target[row, :, :n]).sum() for row, n in enumerate(lengths))
    ours = torch.autograd.grad(loss, (values, weight, bias))
    loss = sum(
        (F.group_norm(values[row : row + 1, :, :n], 3, weight, bias) * target[row, :, :n]).sum()
        for row, n in enumerate(lengths)
    )
    for mine, theirs in zip(ours, torch.autograd.grad(loss, (values, weight, bias)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["group", "layer"])
@pytest.mark.parametrize("bias", [False, True])
def test_frames_depend_on_their_own_row_only(norm, bias):
    torch.manual_seed(0)
    frontend = WaveformFrontend(LAYERS, norm=norm, bias=bias)
    lengths = [300, 211, 120]
    waveforms = torch.randn(3, 300) + 1.0  # what stands at padding does not matter either
    frames = frontend(waveforms, torch.tensor(lengths))
    assert frames.shape == (3, frames_from_samples(300, STRIDES), 8)
    for row, length in enumerate(lengths):
        alone = frontend(waveforms[row : row + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(frames[row, : alone.shape[1]], alone[0], rtol=1e-5, atol=1e-5)


def test_padding_is_seen_only_where_it_is_asked_for():
    torch.manual_seed(0)
    frontend = WaveformFrontend(LAYERS, norm="group", bias=False, sees_padding=True)
    waveform = torch.randn(1, 300)
    padded = F.pad(waveform, (0, 100))
    length = torch.tensor([300])
    assert not torch.allclose(frontend(padded, length)[:, :10], frontend(waveform, length)[:, :10], atol=1e-3)


def test_half_precision_statistics_are_single():
    values = torch.full((1, 2, 5000), 300.0, dtype=torch.bfloat16)
    values[..., ::2] += 4.0
    weight = torch.ones(2, dtype=torch.bfloat16)
    result = masked_channel_norm(values, torch.tensor([5000]), weight, torch.zeros(2, dtype=torch.bfloat16))
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result.float().abs().mean(), torch.tensor(1.0), rtol=0.01, atol=0.01)


def test_the_masked_norm_is_differentiated_rightly():
    torch.manual_seed(0)
    weight, bias = torch.randn(2, dtype=torch.double), torch.randn(2, dtype=torch.double)
    values = torch.randn(2, 2, 6, dtype=torch.double)

    def loss(values, weight, bias):
        share = torch.tensor([[1 / 6] * 6, [0.25] * 4 + [0.0] * 2], dtype=torch.double)
        return _MaskedNorm.apply(values, share, weight, bias, 1e-5)

    assert torch.autograd.gradcheck(loss, [t.requires_grad_() for t in (values, weight, bias)])
