import torch

from sprachbund.nn.masking import MaskEmbedding


def test_masks_replace_frames_and_then_hide_channels():
    torch.manual_seed(0)
    embedding = MaskEmbedding(3)
    states = torch.randn(2, 4, 3)
    time_mask = torch.tensor([[True, False, False, True], [False] * 4])
    channel_mask = torch.tensor([[False, True, False], [False, False, True]])
    masked = embedding(states, time_mask, channel_mask)
    expected = states.clone()
    expected[0, [0, 3]] = embedding.vector.detach()
    expected[0, :, 1] = 0
    expected[1, :, 2] = 0
    torch.testing.assert_close(masked, expected)
    masked.sum().backward()
    torch.testing.assert_close(embedding.vector.grad, torch.tensor([2.0, 0.0, 2.0]))


def test_no_mask_changes_nothing():
    states = torch.randn(1, 2, 3)
    assert MaskEmbedding(3)(states, None, None) is states
