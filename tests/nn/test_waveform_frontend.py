import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sprachbund.lengths import frames_from_samples
from sprachbund.nn import waveform_frontend
from sprachbund.nn.waveform_frontend import (
    WaveformFrontend,
    frame_lengths,
    frame_lengths_of_padding_mask,
    normalized_filters,
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


def plain_frames(frontend, waveform):
    """One row by the layers that PyTorch has."""
    values = waveform[None, None]
    for block in frontend.blocks:
        values = F.conv1d(values, block.convolution.weight, block.convolution.bias, stride=block.stride)
        if block.norm is not None and block.norm_kind == "group":
            values = F.group_norm(values, values.shape[1], block.norm.weight, block.norm.bias, block.norm.eps)
        elif block.norm is not None:
            values = block.norm(values.transpose(1, 2)).transpose(1, 2)
        values = F.gelu(values)
    return values[0].T


def drawn_frontend(norm, bias, seed):
    torch.manual_seed(seed)
    frontend = WaveformFrontend(LAYERS, norm=norm, bias=bias)
    for parameter in frontend.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return frontend


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(90, 400), min_size=1, max_size=4),
    st.sampled_from(["group", "layer"]),
    st.booleans(),
    st.floats(-2, 2),
    st.integers(0, 99),
)
def test_frames_and_gradients_are_those_of_plain_layers_on_each_row(lengths, norm, bias, offset, seed):
    frontend = drawn_frontend(norm, bias, seed)
    waveforms = torch.randn(len(lengths), max(lengths)) + offset
    frames = frontend(waveforms, torch.tensor(lengths))
    plain = [plain_frames(frontend, waveforms[row, :length]) for row, length in enumerate(lengths)]
    targets = [torch.randn_like(rows) for rows in plain]
    ours = sum((frames[row, : len(target)] * target).sum() for row, target in enumerate(targets))
    theirs = sum((rows * target).sum() for rows, target in zip(plain, targets, strict=True))
    for row, rows in enumerate(plain):
        torch.testing.assert_close(frames[row, : len(rows)], rows, rtol=1e-4, atol=1e-4)
    parameters = list(frontend.parameters())
    wanted = torch.autograd.grad(theirs, parameters, allow_unused=True)
    # A bias before a group norm changes nothing; what PyTorch finds there is rounding.
    largest = max(float(gradient.abs().max()) for gradient in wanted if gradient is not None)
    for mine, other in zip(torch.autograd.grad(ours, parameters, allow_unused=True), wanted, strict=True):
        mine = torch.zeros_like(other) if mine is None else mine
        torch.testing.assert_close(mine, other, rtol=1e-3, atol=1e-4 * largest)


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


def test_statistics_are_not_of_half_precision():
    """A large constant under a small sound: in bfloat16 the sound would be gone before it is normalised."""
    frontend = drawn_frontend("group", False, 0)
    sound = 0.01 * torch.randn(1, 400)
    expected = frontend(sound, torch.tensor([400]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        shifted = frontend(sound + 3.0, torch.tensor([400]))
    assert shifted.dtype == torch.bfloat16
    relative = (shifted.float() - expected).norm() / expected.norm()
    assert relative < 0.05


def test_filters_give_every_channel_zero_mean_and_unit_variance():
    torch.manual_seed(0)
    frames, lengths = torch.randn(2, 50, 10) + 4.0, torch.tensor([50, 20])
    norm = torch.nn.LayerNorm(3, eps=0.0)
    filters, offset = normalized_filters(frames, lengths, torch.randn(3, 10), norm)
    for row, length in enumerate(lengths.tolist()):
        values = frames[row, :length] @ filters[row].T + offset[row]
        torch.testing.assert_close(values.mean(dim=0), torch.zeros(3), rtol=0, atol=1e-4)
        torch.testing.assert_close(values.var(dim=0, correction=0), torch.ones(3), rtol=1e-4, atol=0)


def test_a_filter_of_small_differences_is_normalized_as_well():
    """A slow wave of many thousands under a hiss of one: the filter hears the hiss alone."""
    torch.manual_seed(0)
    wave = 3e4 * torch.sin(torch.arange(6000) / 500).double() + torch.randn(6000).double()
    frames = wave.unfold(0, 4, 2)[None]
    filters, norm = torch.tensor([[1.0, -3.0, 3.0, -1.0]]), torch.nn.LayerNorm(1)
    weight, bias = normalized_filters(frames.float(), torch.tensor([frames.shape[1]]), filters, norm)
    heard = frames @ weight[0].T.double() + bias.double()
    assert heard.std().item() == pytest.approx(1.0, rel=0.01)


def test_a_row_without_a_valid_frame_gives_finite_filters():
    filters = torch.randn(3, 4, requires_grad=True)
    weight, bias = normalized_filters(torch.randn(2, 5, 4), torch.tensor([5, 0]), filters, torch.nn.LayerNorm(3))
    assert weight.isfinite().all()
    assert bias.isfinite().all()
    (weight.sum() + bias.sum()).backward()
    assert filters.grad.isfinite().all()


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_frames_without_gradients_are_those_with(norm, monkeypatch):
    frontend = drawn_frontend(norm, True, 0)
    waveforms, lengths = torch.randn(3, 400), torch.tensor([400, 399, 87])
    expected = frontend(waveforms, lengths)
    for num_frames in (1, 10, 10_000):
        monkeypatch.setattr(waveform_frontend, "CACHED_FRAMES", num_frames)
        with torch.no_grad():
            torch.testing.assert_close(frontend(waveforms, lengths), expected, rtol=1e-5, atol=1e-5)
