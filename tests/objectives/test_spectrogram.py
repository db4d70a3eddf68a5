import pytest
import torch

from sprachbund.models.speecht5.outputs import Spectrogram
from sprachbund.objectives.spectrogram import (
    absolute_distance,
    guided_attention_loss,
    spectrogram_counts,
    spectrogram_target,
    squared_distance,
    stop_loss,
)

MELS = torch.arange(1.0, 29.0).view(2, 7, 2)
LENGTHS = torch.tensor([7, 4])


def predicted(frames: torch.Tensor) -> Spectrogram:
    return Spectrogram(frames + 1.0, frames - 2.0, torch.zeros(frames.shape[:2]), ())


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_targets_are_whole_groups(factor):
    target = spectrogram_target(MELS, LENGTHS, factor)
    num_steps = 7 // factor
    assert target.decoder_input.shape == (2, num_steps, 2)
    assert not target.decoder_input[:, 0].any()
    for step in range(1, num_steps):
        assert torch.equal(target.decoder_input[:, step], MELS[:, step * factor - 1])
    assert target.frames.shape[1] == num_steps * factor
    assert target.lengths.tolist() == [7 // factor * factor, 4 // factor * factor]
    assert target.decoder_lengths.tolist() == [7 // factor, 4 // factor]
    for row, length in enumerate(target.lengths.tolist()):
        assert target.stop_labels[row, :length].tolist() == [0.0] * (length - 1) + [1.0]


def test_distances_count_valid_cells_only():
    target = spectrogram_target(MELS, LENGTHS, 2)
    cells, stops = spectrogram_counts(LENGTHS, 2, 2)
    assert (cells, stops) == (20.0, 10.0)
    result = predicted(target.frames)
    assert absolute_distance(result, target).item() == pytest.approx(20 * 3)
    assert squared_distance(result, target).item() == pytest.approx(20 * 5)


def test_ends_weigh_more():
    target = spectrogram_target(MELS, LENGTHS, 2)
    result = predicted(target.frames)
    once = torch.log(torch.tensor(2.0)).item()
    assert stop_loss(result, target, 5.0).item() == pytest.approx(once * (8 + 2 * 5), rel=1e-5)


def test_attention_on_the_diagonal_costs_least():
    steps, frames = torch.tensor([6, 3]), torch.tensor([6, 3])
    diagonal = torch.eye(6).expand(2, 3, 6, 6)
    flipped = diagonal.flip(3)
    assert guided_attention_loss([diagonal], steps, frames).item() == pytest.approx(0.0, abs=1e-6)
    assert guided_attention_loss([flipped], torch.tensor([6, 6]), torch.tensor([6, 6])).item() > 0.05


def test_only_the_first_heads_and_valid_cells_are_guided():
    steps, frames = torch.tensor([4]), torch.tensor([3])
    weights = torch.rand(1, 4, 6, 5)
    changed = weights.clone()
    changed[:, 2:] = 9.0
    changed[:, :, 4:] = 9.0
    changed[:, :, :, 3:] = 9.0
    ours, theirs = (guided_attention_loss([w, w], steps, frames) for w in (weights, changed))
    torch.testing.assert_close(ours, theirs)
    expected = 0.0
    for step in range(4):
        for frame in range(3):
            off = 1 - torch.exp(torch.tensor(-((frame / 3 - step / 4) ** 2) / (2 * 0.4**2)))
            expected += (weights[0, :2, step, frame] * off).sum().item()
    assert ours.item() == pytest.approx(expected / (12 * 2), rel=1e-5)
