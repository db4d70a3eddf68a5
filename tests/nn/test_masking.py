import torch

from sprachbund.nn.masking import MaskEmbedding, hidden_keys


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


def test_keys_are_hidden_by_padding_and_by_time():
    padding = torch.tensor([[False, False, False, False], [False, False, True, True]])
    device = padding.device
    assert hidden_keys(None, False, 2, 4, 0, device) is None
    assert torch.equal(hidden_keys(padding, False, 2, 4, 0, device), padding[:, None, None])
    # The last two of four positions.
    later = torch.tensor([[False, False, False, True], [False, False, False, False]])
    assert torch.equal(hidden_keys(None, True, 2, 4, 2, device), later[None, None])
    both = hidden_keys(padding, True, 2, 4, 2, device)
    assert torch.equal(both[0, 0], later)
    assert torch.equal(both[1, 0], torch.tensor([[False, False, True, True]] * 2))
