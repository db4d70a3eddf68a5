from dataclasses import replace

import pytest
import torch

import tiny
from objectives.batches import teacher_batch
from objectives.laws import assert_rows_add_up
from sprachbund.errors import RecipeError
from sprachbund.models.speech_encoder import waveform_layers
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.objectives.teacher_features import FrozenTeacher, TeacherRegression, normalize_over_time


def regression(layer: int = 1, **weights: float) -> TeacherRegression:
    torch.manual_seed(5)
    teacher = FrozenTeacher(tiny.hubert_model(7), layer)
    return TeacherRegression(tiny.hubert_model(num_units=None), teacher, MaskedPredictionConfig(**weights))


def test_the_loss_is_the_mean_square_at_masked_frames() -> None:
    objective, batch = regression(), teacher_batch()
    loss = objective(batch)
    encoded = objective.model.encode_speech(
        batch.waveforms, batch.waveform_lengths, time_mask=batch.time_mask, channel_mask=batch.channel_mask
    )
    expected = 0.0
    for row, length in enumerate(batch.waveform_lengths.tolist()):
        # What the teacher hears is whole, alone and clean.
        heard = batch.clean[row : row + 1, :length]
        states = objective.teacher.model.layer_states(heard, torch.tensor([length]), [1]).states[0][0]
        wanted = (states - states.mean(dim=0)) / (states.var(dim=0, correction=0) + 1e-5).sqrt()
        for frame in batch.time_mask[row].nonzero()[:, 0].tolist():
            told = objective.head(encoded.states[row, frame])
            expected += (told - wanted[frame]).square().mean().item()
    terms = {term.name: term for term in loss.terms}
    assert terms["teacher_features"].sum.item() == pytest.approx(expected, rel=1e-4)
    assert terms["teacher_features"].count == batch.time_mask.sum()
    assert terms["feature_penalty"].weight == 10.0


def test_counts_need_no_forward() -> None:
    batch = teacher_batch()
    for weights in ({}, {"masked_weight": 0.0}, {"feature_penalty_weight": 0.0}):
        objective = regression(**weights)
        assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
    assert set(regression().counts(batch)) == {"teacher_features", "feature_penalty"}


def test_a_batch_is_the_window_of_its_rows() -> None:
    objective = regression()
    assert_rows_add_up(objective, objective, teacher_batch())


def test_the_teacher_does_not_move() -> None:
    objective, batch = regression(), teacher_batch()
    objective.train()
    assert not objective.teacher.model.training
    before = {name: value.clone() for name, value in objective.teacher.model.state_dict().items()}
    optimizer = torch.optim.Adam([p for p in objective.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(2):
        objective(batch).total().backward()
        optimizer.step()
    after = objective.teacher.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(value.grad is None for value in objective.teacher.model.parameters())
    # Neither checkpoints nor model folders hold it.
    assert {name.split(".")[0] for name in objective.state_dict()} == {"model", "head"}


def test_everything_else_learns() -> None:
    objective = regression()
    objective(teacher_batch()).total().backward()
    assert [name for name, value in objective.named_parameters() if value.grad is None] == []


def test_the_distortion_of_the_encoder_does_not_reach_the_teacher() -> None:
    objective, batch = regression(), teacher_batch()
    noisy = replace(batch, waveforms=batch.waveforms + 0.1 * torch.randn_like(batch.waveforms))
    heard: list[torch.Tensor] = []
    teacher = objective.teacher
    objective.teacher = lambda waves, lengths: heard.append(waves) or teacher(waves, lengths)  # type: ignore
    objective(noisy)
    assert torch.equal(heard[0], batch.clean)


def test_it_is_learned_by_heart() -> None:
    objective, batch = regression(), teacher_batch((4000, 3200))
    optimizer = torch.optim.Adam(objective.parameters(), lr=3e-3)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = objective(batch)
        losses.append(loss.terms[0].sum.item() / loss.terms[0].count)
        loss.total().backward()
        optimizer.step()
    assert losses[0] > 0.8  # the variance of what is to be told is 1
    assert losses[-1] < 0.4


def test_states_are_normalised_over_the_frames_of_a_row() -> None:
    states = torch.randn(2, 9, 4) * 3 + 5
    found = normalize_over_time(states, torch.tensor([9, 6]))
    for row, length in enumerate((9, 6)):
        torch.testing.assert_close(found[row, :length].mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
        torch.testing.assert_close(found[row, :length].var(dim=0, correction=0), torch.ones(4), atol=1e-3, rtol=0)
    assert not found[1, 6:].any()
    other = normalize_over_time(states[1:, :6], torch.tensor([6]))
    torch.testing.assert_close(found[1:, :6], other)
    # A single frame has no variance.
    assert not normalize_over_time(states[:, :1], torch.tensor([1, 1])).any()


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(RecipeError, match="no such layer") as caught:
        FrozenTeacher(tiny.hubert_model(), 3)
    assert "0 to 2" in str(caught.value)
    with pytest.raises(RecipeError, match="masked frames only"):
        regression(unmasked_weight=1.0)
    slow = tiny.hubert_model(conv_layers=(*waveform_layers(16)[:-1], (16, 4, 4)))
    with pytest.raises(RecipeError, match="other frames"):
        TeacherRegression(tiny.hubert_model(), FrozenTeacher(slow, 1))
