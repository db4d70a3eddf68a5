from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from probing_data import NUM_CLASSES, clips, probe_set
from sprachbund.errors import DataError
from sprachbund.evaluation.probe_data import IGNORED, ProbeTask
from sprachbund.evaluation.probing import (
    BLANK_SHIFTS,
    EPOCHS,
    LinearProbe,
    ProbeConfig,
    Scaling,
    measure_scaling,
    pooled_rate,
    score_probe,
    train_probe,
)

QUICK = ProbeConfig(epochs=8, rate=5e-2, batch_clips=8)
TASKS = list(ProbeTask)


def trained_on(made, task, *, seed=0, config=QUICK):
    train, valid = made[:-20], made[-20:]
    scaling = measure_scaling(train, task)
    return train_probe(probe_set(train), probe_set(valid), task, NUM_CLASSES, seed=seed, config=config, scaling=scaling)


@pytest.mark.parametrize("task", TASKS)
def test_a_probe_learns_what_is_linearly_there(tmp_path: Path, task: ProbeTask):
    made = clips(tmp_path, 80, task)
    trained = trained_on(made, task)
    fresh = clips(tmp_path, 30, task, seed=1)
    assert pooled_rate(score_probe(trained, fresh)) < 0.15
    assert 1 <= trained.epoch <= QUICK.epochs
    assert trained.valid_rate == pooled_rate(score_probe(trained, made[-20:]))


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_learned_from_noise(tmp_path: Path, task: ProbeTask):
    made = clips(tmp_path, 80, task, informative=[False])
    trained = trained_on(made, task)
    # The weights are those of the epoch that was chosen, which is seldom the last one where nothing can be learned.
    assert trained.valid_rate == pooled_rate(score_probe(trained, made[-20:]))
    assert pooled_rate(score_probe(trained, clips(tmp_path, 30, task, informative=[False], seed=1))) > 0.5


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("place", [0, 2])
def test_the_mix_finds_the_layer_that_tells(tmp_path: Path, task: ProbeTask, place: int):
    informative = [layer == place for layer in range(3)]
    weights = trained_on(clips(tmp_path, 80, task, informative=informative), task).probe.layer_weights
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[place]) > 0.5


def test_the_seed_decides_everything(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.PHONES, informative=[True, False])
    torch.manual_seed(1)
    one = trained_on(made, ProbeTask.PHONES, seed=3)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    same = trained_on(made, ProbeTask.PHONES, seed=3)
    # The generator of the process is left alone.
    assert torch.equal(torch.random.get_rng_state(), state)
    other = trained_on(made, ProbeTask.PHONES, seed=4)
    assert torch.equal(one.probe.linear.weight, same.probe.linear.weight)
    assert (one.epoch, one.valid_rate) == (same.epoch, same.valid_rate)
    assert not torch.equal(one.probe.linear.weight, other.probe.linear.weight)


def test_the_best_epoch_is_kept(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.FRAMES)
    by_epoch = [trained_on(made, ProbeTask.FRAMES, config=replace(QUICK, epochs=1, rate=rate)) for rate in (0.05,)]
    longer = trained_on(made, ProbeTask.FRAMES)
    assert longer.valid_rate <= min(one.valid_rate for one in by_epoch) + 0.02
    assert by_epoch[0].epoch == 1


@pytest.mark.parametrize("task", TASKS)
def test_the_errors_of_a_clip_do_not_depend_on_its_company(tmp_path: Path, task: ProbeTask):
    trained = trained_on(clips(tmp_path, 60, task, informative=[True, False]), task, config=replace(QUICK, epochs=1))
    judged = clips(tmp_path, 70, task, informative=[True, False], seed=1)
    together = score_probe(trained, judged)
    assert [score_probe(trained, [clip])[0] for clip in judged] == together
    assert score_probe(trained, judged[::-1]) == together[::-1]
    assert any(count.errors for count in together)


def test_logits_are_those_of_the_mix_written_out():
    generator = torch.Generator().manual_seed(0)
    scaling = Scaling(torch.randn(3, 5, generator=generator), torch.rand(3, 5, generator=generator) + 0.5)
    probe = LinearProbe(scaling, 4)
    with torch.no_grad():
        probe.mix.copy_(torch.tensor([0.3, -1.0, 2.0]))
    features = torch.randn(7, 3, 5, generator=generator)
    scaled = (features - scaling.mean) / scaling.deviation
    mixed = sum(weight * scaled[:, layer] for layer, weight in enumerate(probe.layer_weights))
    assert torch.allclose(probe(features), probe.linear(mixed), atol=1e-5)
    assert probe(features[:0]).shape == (0, 4)


@pytest.mark.parametrize("task", TASKS)
def test_scaling_is_that_of_all_that_is_read(tmp_path: Path, task: ProbeTask):
    made = clips(tmp_path, 70, task, informative=[True, False])
    scaling = measure_scaling(made, task)
    stored = [np.stack([np.load(path).astype(np.float64) for path in clip.paths], axis=1) for clip in made]
    if task is ProbeTask.CHARACTERS:
        stored = [one.mean(axis=0, keepdims=True) for one in stored]
    everything = np.concatenate(stored)
    assert np.allclose(scaling.mean, everything.mean(axis=0), atol=1e-3)
    assert np.allclose(scaling.deviation, everything.std(axis=0), rtol=1e-3)


def test_a_dead_channel_is_not_blown_up(tmp_path: Path):
    made = clips(tmp_path, 40, ProbeTask.FRAMES)
    for clip in made:
        array = np.load(clip.paths[0])
        array[:, 0] = 7
        np.save(clip.paths[0], array)
    scaling = measure_scaling(made, ProbeTask.FRAMES)
    assert float(scaling.deviation[0, 0]) > 1e-3
    assert torch.isfinite(trained_on(made, ProbeTask.FRAMES).probe.linear.weight).all()
    for clip in made:
        np.save(clip.paths[0], np.zeros_like(np.load(clip.paths[0])))
    assert torch.isfinite(trained_on(made, ProbeTask.FRAMES).probe.linear.weight).all()


def test_frames_that_are_not_judged_do_not_count(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.FRAMES)
    hidden = [replace(clip, labels=np.where(np.arange(len(clip.labels)) % 2, IGNORED, clip.labels)) for clip in made]
    trained = trained_on(hidden, ProbeTask.FRAMES)
    whole, half = score_probe(trained, made), score_probe(trained, hidden)
    assert [count.length for count in half] == [-(-len(clip.labels) // 2) for clip in made]
    assert [count.length for count in whole] == [len(clip.labels) for clip in made]
    assert all(one.errors <= other.errors for one, other in zip(half, whole, strict=True))


def test_labels_that_no_training_clip_has_are_errors(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.FRAMES)
    trained = trained_on(made, ProbeTask.FRAMES)
    strange = [replace(clip, labels=np.full_like(clip.labels, -1)) for clip in made]
    assert pooled_rate(score_probe(trained, strange)) == 1


def test_clips_with_more_phones_than_frames_do_no_harm(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.PHONES)
    impossible = [replace(clip, labels=np.tile(clip.labels, 9)) for clip in made[:10]]
    trained = trained_on([*impossible, *made[10:]], ProbeTask.PHONES)
    assert pooled_rate(score_probe(trained, made[10:])) < 0.1


def test_a_loss_that_is_no_number_is_told(tmp_path: Path):
    made = clips(tmp_path, 40, ProbeTask.FRAMES)
    huge = np.load(made[3].paths[0]).astype(np.float32)
    huge[0, 0] = np.inf
    np.save(made[3].paths[0], huge)
    with pytest.raises(DataError, match="no number"):
        trained_on(made, ProbeTask.FRAMES)


def test_the_blank_is_shifted_to_where_errors_are_fewest(tmp_path: Path):
    made = clips(tmp_path, 60, ProbeTask.PHONES)
    trained = trained_on(made, ProbeTask.PHONES, config=replace(QUICK, epochs=2))
    valid = made[-20:]
    rates = {shift: pooled_rate(score_probe(replace(trained, blank_shift=shift), valid)) for shift in BLANK_SHIFTS}
    assert trained.valid_rate == rates[trained.blank_shift] == min(rates.values())
    # A blank that always wins leaves deletions only, one that never wins no deletion by it.
    silent = score_probe(replace(trained, blank_shift=1e6), valid)
    assert all(count.deletions == count.length for count in silent)
    spoken = score_probe(replace(trained, blank_shift=-1e6), valid)
    assert sum(count.insertions for count in spoken) >= sum(count.insertions for count in silent)
    assert trained_on(clips(tmp_path, 60, ProbeTask.FRAMES), ProbeTask.FRAMES).blank_shift == 0


def test_every_task_has_its_epochs():
    assert set(EPOCHS) == set(ProbeTask)
    assert 0 in BLANK_SHIFTS
