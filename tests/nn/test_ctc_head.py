import pytest
import torch
from torch.nn import functional as F

from sprachbund.nn.ctc_head import ConvolutionalCtcHead


@pytest.mark.parametrize(("kernel", "extra"), [(1, 0), (2, 1), (3, 0), (4, 1)])
def test_the_head_is_a_convolution_a_norm_and_a_linear_map(kernel, extra):
    torch.manual_seed(0)
    head = ConvolutionalCtcHead(6, kernel, 9, dropout=0.1).eval()
    states = torch.randn(2, 5, 6)
    convolved = F.conv1d(states.transpose(1, 2), head.convolution.weight, padding=kernel // 2).transpose(1, 2)
    expected = head.projection(F.gelu(head.norm(convolved)))
    logits = head(states)
    assert logits.shape == (2, 5 + extra, 9)
    torch.testing.assert_close(logits, expected)


def test_frames_do_not_see_what_follows_in_the_published_head():
    torch.manual_seed(0)
    head = ConvolutionalCtcHead(6, 2, 9, dropout=0.0)
    states = torch.randn(1, 5, 6)
    changed = states.clone()
    changed[:, 3:] += 1.0
    torch.testing.assert_close(head(states)[:, :3], head(changed)[:, :3])


def test_dropout_is_for_training_alone():
    torch.manual_seed(0)
    head = ConvolutionalCtcHead(6, 2, 9, dropout=0.5)
    states = torch.randn(1, 5, 6)
    assert not torch.equal(head(states), head(states))
    head.eval()
    assert torch.equal(head(states), head(states))
