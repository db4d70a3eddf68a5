import pytest
import torch

from sprachbund.nn.postnets import SpectrogramPostnet, UtteranceClassifier


def postnet(**changes):
    torch.manual_seed(0)
    options = {"num_layers": 3, "channels": 5, "kernel": 5, "dropout": 0.0, "has_norm": True}
    return SpectrogramPostnet(6, 4, 2, **(options | changes))


def mask(lengths: list[int]) -> torch.Tensor:
    return torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]


def test_each_state_yields_its_group_of_frames():
    net = postnet()
    states = torch.randn(2, 3, 6)
    frames, stops = net.project(states)
    assert frames.shape == (2, 6, 4)
    torch.testing.assert_close(frames[:, 2:4].flatten(1), net.frames(states[:, 1]))
    torch.testing.assert_close(stops[:, 2:4], net.stop(states[:, 1]))


@pytest.mark.parametrize("trains", [False, True])
def test_refinement_ignores_padding(trains):
    """In evaluation for every row; in training the statistics are those of the valid frames of the batch."""
    net = postnet().train(trains)
    lengths = [5, 2]
    states = torch.randn(2, 5, 6)
    batched = net(states, mask(lengths))
    garbled = states.clone()
    garbled[1, 2:] = 100.0
    net = postnet().train(trains)
    again = net(garbled, mask(lengths))
    torch.testing.assert_close(batched.after[0], again.after[0])
    torch.testing.assert_close(batched.after[1, :4], again.after[1, :4])
    if not trains:
        alone = net(states[1:, :2], mask([2]))
        torch.testing.assert_close(batched.after[1:, :4], alone.after, rtol=1e-5, atol=1e-5)


def test_statistics_of_a_batch_do_not_know_how_far_it_is_padded():
    states = torch.randn(2, 5, 6)
    padded = torch.nn.functional.pad(states, (0, 0, 0, 4))
    first, second = postnet().train(), postnet().train()
    short = first(states, mask([5, 2]))
    long = second(padded, torch.cat([mask([5, 2]), torch.ones(2, 4, dtype=torch.bool)], dim=1))
    torch.testing.assert_close(short.after[0], long.after[0, :10])
    torch.testing.assert_close(short.after[1, :4], long.after[1, :4])
    torch.testing.assert_close(first.blocks[1].norm.running_var, second.blocks[1].norm.running_var)


def test_statistics_are_kept_for_evaluation():
    net = postnet().train()
    for _ in range(3):
        net(torch.randn(2, 5, 6), mask([5, 2]))
    norm = net.blocks[0].norm
    assert norm.num_batches_tracked == 3
    assert norm.running_mean.abs().sum() > 0


def test_without_a_mask_padding_leaks():
    net = postnet().eval()
    states = torch.randn(1, 5, 6)
    whole = net(states, None).after[:, :4]
    assert not torch.allclose(whole, net(states[:, :2], None).after, atol=1e-4)


def test_it_can_do_without_convolutions_or_norms():
    bare = postnet(num_layers=0)
    frames = bare(torch.randn(1, 3, 6), None)
    assert frames.after is frames.before
    assert not [name for name, _ in postnet(has_norm=False).named_parameters() if "norm" in name]


@pytest.mark.parametrize(("has_norm", "embedding_dim"), [(False, None), (True, None), (False, 7), (True, 7)])
def test_classes_of_utterances(has_norm, embedding_dim):
    net = UtteranceClassifier(6, 3, has_norm=has_norm, embedding_dim=embedding_dim).eval()
    result = net(torch.randn(2, 6))
    assert result.logits.shape == (2, 3)
    assert result.embedding.shape == (2, 6 if embedding_dim is None else 7)
    torch.testing.assert_close(result.logits, result.embedding @ net.output.weight.T)
