import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from sprachbund.nn.convolution import convolve, convolve_by_spectrum, filter_spectrum


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(1, 3),
    steps=st.integers(1, 7),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_a_convolution_is_that_of_every_row(batch, steps, kernel, stride, seed):
    torch.manual_seed(seed)
    values = torch.randn(batch, steps * stride, 3, requires_grad=True)
    weight = torch.randn(5, 3, kernel, requires_grad=True)
    result = convolve(values, weight, stride)
    assert result.shape == (batch, steps, 5)
    valid = max((steps * stride - kernel) // stride + 1, 0)
    if valid:
        plain = F.conv1d(values.transpose(1, 2), weight, stride=stride).transpose(1, 2)
        torch.testing.assert_close(result[:, :valid], plain, rtol=1e-5, atol=1e-5)
        target = torch.randn_like(plain)
        ours, theirs = (torch.autograd.grad((x * target).sum(), (values, weight)) for x in (result[:, :valid], plain))
        for mine, expected in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)
    assert result.isfinite().all()


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (2, 2), (2, 5), (7, 2)])
def test_a_convolution_is_differentiated_rightly_beyond_the_ends_too(kernel, stride):
    torch.manual_seed(0)
    values = torch.randn(2, 3 * stride, 2, dtype=torch.double, requires_grad=True)
    weight = torch.randn(3, 2, kernel, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, w: convolve(x, w, stride), (values, weight))


def test_a_convolution_takes_the_type_of_mixed_precision_and_learns_in_single():
    torch.manual_seed(0)
    values, weight = torch.randn(2, 8, 16), torch.randn(4, 16, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        short = convolve(values, weight, 2)
    assert short.dtype == torch.bfloat16
    single = convolve(values, weight, 2)
    torch.testing.assert_close(short.float(), single, rtol=0.03, atol=0.1)
    short.float().square().sum().backward()
    assert weight.grad.dtype == torch.float32
    [expected] = torch.autograd.grad(single.square().sum(), weight)
    assert (weight.grad - expected).norm() < 0.02 * expected.norm()


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(1, 3),
    frames=st.integers(1, 60),
    kernel=st.integers(1, 12),
    groups=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 99),
)
def test_a_wide_convolution_by_spectrum_is_the_plain_one(batch, frames, kernel, groups, seed):
    torch.manual_seed(seed)
    values = torch.randn(batch, frames, 8, requires_grad=True)
    weight = torch.randn(12, 8 // groups, kernel, requires_grad=True)
    plain = F.conv1d(values.transpose(1, 2), weight, padding=kernel // 2, groups=groups)[:, :, :frames].transpose(1, 2)
    result = convolve_by_spectrum(values, filter_spectrum(weight, groups))
    torch.testing.assert_close(result, plain, rtol=1e-4, atol=1e-5)
    target = torch.randn_like(plain)
    ours, theirs = (torch.autograd.grad((x * target).sum(), (values, weight)) for x in (result, plain))
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-4, atol=1e-4)
