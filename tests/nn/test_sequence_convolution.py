import math

import pytest
import torch
from torch.nn import functional as F

from nn.stacks import mask
from sprachbund.nn.sequence_convolution import SequenceConvolution


@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_it_is_a_convolution_along_positions(kernel: int) -> None:
    torch.manual_seed(0)
    convolution, states = SequenceConvolution(5, 7, kernel), torch.randn(2, 6, 5)
    padded = F.pad(states, (0, 0, kernel // 2, kernel // 2))
    windows = padded.unfold(1, kernel, 1)  # -> batch position dim kernel
    expected = torch.einsum("bpdk,odk->bpo", windows, convolution.weight) + convolution.bias
    torch.testing.assert_close(convolution(states, None), expected, rtol=1e-5, atol=1e-5)


def test_padding_is_silence() -> None:
    torch.manual_seed(0)
    convolution, states = SequenceConvolution(5, 7, 5), torch.randn(2, 6, 5)
    found = convolution(states, mask([6, 3]))
    torch.testing.assert_close(found[1, :3], convolution(states[1:, :3], None)[0], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(convolution(states, None)[1, 2], found[1, 2], atol=1e-2)


def test_weights_begin_wide_enough_for_a_relu() -> None:
    torch.manual_seed(0)
    weight = SequenceConvolution(32, 64, 9).weight
    bound = math.sqrt(2) * math.sqrt(6 / (9 * (32 + 64)))
    assert 0.99 * bound < weight.abs().max().item() <= bound
