import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import Trainer
from rich.console import Console

from objectives.batches import quiet_model, speech_batch, text_batch, transcribed_batch
from sprachbund.data.mixture import Step
from sprachbund.data.streams import Cursor
from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.objectives.recognition import Recognition
from sprachbund.training.callbacks import Checkpoints, ProgressBar, RunLog, Validation
from sprachbund.training.checkpointing import checkpoint_path, list_checkpoints
from sprachbund.training.choices import OptimizationConfig
from sprachbund.training.data import TrainingData
from sprachbund.training.interruption import Interrupted
from sprachbund.training.module import TrainingModule


@pytest.fixture
def module() -> TrainingModule:
    return TrainingModule(Recognition(quiet_model()), OptimizationConfig(), seed=1)


def trainer_at(step: int, max_steps: int = 10) -> Any:
    trainer = Mock(spec=Trainer)
    trainer.global_step, trainer.max_steps = step, max_steps
    trainer.datamodule = TrainingData({}, {}, [], accumulate=1, loader_workers=0)
    trainer.save_checkpoint.side_effect = lambda path: (path.parent.mkdir(exist_ok=True), path.touch())
    return trainer


def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def a_step(number: int = 0) -> Step:
    cursors = {"speech": Cursor(0, number + 1)}
    return Step(number, ({"speech": speech_batch((4000, 2700)), "text": text_batch()},) * 2, cursors)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_the_log_is_written_every_so_many_steps_and_at_the_end(tmp_path: Path, module: TrainingModule) -> None:
    log = RunLog(tmp_path, every=3)
    log.on_train_start(trainer_at(0, 7), module)
    for step in range(1, 8):
        module.figures.add(Loss((LossTerm("ctc", 1.0, torch.tensor(float(step)), 1.0),)))
        log.on_train_batch_end(trainer_at(step, 7), module, None, a_step(), 0)
    log.teardown(trainer_at(7, 7), module, "fit")
    written = lines(tmp_path)
    assert [(line["step"], line["split"]) for line in written] == [(3, "train"), (6, "train"), (7, "train")]
    assert [line["loss/ctc"] for line in written] == [2.0, 5.0, 7.0]  # means since the last line
    assert all(line["audio_seconds_per_second"] > 0 for line in written)
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_audio_of_every_micro_batch_is_counted_over_the_time_of_training(
    tmp_path: Path, module: TrainingModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Start, end of the first step; validation from 0.7 to 9.7; end of the second step.
    clock = iter([0.0, 0.5, 0.5, 0.7, 9.7, 11.5, 11.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    log = RunLog(tmp_path, every=1)
    log.on_train_start(trainer_at(0), module)
    log.on_train_batch_end(trainer_at(1), module, None, a_step(), 0)  # 2 * 6700 samples of speech, none of text
    log.pause()
    log.go_on()
    transcribed = Step(1, ({"transcribed": transcribed_batch((16_000, 8_000))},), {})
    log.on_train_batch_end(trainer_at(2), module, None, transcribed, 1)
    log.teardown(trainer_at(2), module, "fit")
    rates = [line["audio_seconds_per_second"] for line in lines(tmp_path)]
    assert rates == pytest.approx([2 * 6700 / 16_000 / 0.5, 1.5 / 2.0])


def test_lines_of_steps_that_are_made_again_are_dropped(tmp_path: Path, module: TrainingModule) -> None:
    kept = [{"step": 2, "split": "train"}, {"step": 4, "split": "train"}, {"step": 4, "split": "valid"}]
    dropped = [{"step": 5, "split": "train"}, {"step": 6, "split": "train"}]
    text = "".join(json.dumps(line) + "\n" for line in kept + dropped) + '{"step": 3, "spl'
    (tmp_path / "metrics.jsonl").write_text(text, "utf-8")
    log = RunLog(tmp_path, every=1)
    log.on_train_start(trainer_at(4), module)
    log.teardown(trainer_at(4), module, "fit")
    assert lines(tmp_path) == kept


def test_checkpoints_are_saved_in_time_and_the_newest_kept(tmp_path: Path, module: TrainingModule) -> None:
    folder = tmp_path / "checkpoints"
    callback = Checkpoints(folder, every=2, keep=2)
    saved: list[int] = []
    for step in range(1, 8):
        trainer = trainer_at(step, 7)
        callback.on_train_batch_end(trainer, module, None, a_step(step - 1), 0)
        assert trainer.datamodule.state_dict() == {"next_step": step, "cursors": {"speech": [0, step]}}
        saved += [step] if trainer.save_checkpoint.called else []
    assert saved == [2, 4, 6, 7]
    assert list_checkpoints(folder) == [checkpoint_path(folder, 7), checkpoint_path(folder, 6)]


def test_the_place_is_noted_before_the_checkpoint_is_written(tmp_path: Path, module: TrainingModule) -> None:
    trainer = trainer_at(2)
    states: list[Any] = []
    trainer.save_checkpoint.side_effect = lambda path: states.append(trainer.datamodule.state_dict())
    Checkpoints(tmp_path, every=1, keep=1).on_train_batch_end(trainer, module, None, a_step(1), 0)
    assert states == [{"next_step": 2, "cursors": {"speech": [0, 2]}}]


@pytest.mark.parametrize(
    ("inspect", "wer", "text"), [(None, None, ""), (lambda: ({"wer": 0.5}, "  said  a\n  heard [b]"), 0.5, "heard [b]")]
)
def test_validation_is_logged_and_told(
    tmp_path: Path,
    module: TrainingModule,
    inspect: Callable[[], tuple[dict[str, float], str]] | None,
    wer: float | None,
    text: str,
) -> None:
    screen = console()
    module.validation_step({"transcribed": transcribed_batch()}, 0)
    callback = Validation(RunLog(tmp_path, 1), screen, inspect)
    callback.on_validation_start(trainer_at(4), module)
    callback.on_validation_end(trainer_at(4), module)
    [line] = lines(tmp_path)
    assert (line["step"], line["split"], line.get("wer")) == (4, "valid", wer)
    assert {"loss", "loss/ctc", "loss/decoder", "token_accuracy"} <= set(line)
    assert "step 4: held out loss" in said(screen)
    assert ("wer 0.5" in said(screen)) == (wer is not None)
    assert text in said(screen)  # brackets are text, not markup
    assert module.validation.read() == {}


def test_the_bar_goes_on_from_the_step_of_a_resumed_run(module: TrainingModule) -> None:
    bar = ProgressBar(console())
    bar.on_train_start(trainer_at(4), module)
    [task] = bar.progress.tasks
    assert (task.completed, task.total) == (4, 10)
    bar.on_train_batch_end(trainer_at(5), module, None, a_step(), 0)
    assert task.completed == 5
    bar.teardown(trainer_at(5), module, "fit")
    assert not bar.progress.live.is_started


@pytest.mark.parametrize(("step", "ends"), [(3, True), (10, False)])
def test_a_run_that_is_told_to_stop_saves_first(tmp_path: Path, module: TrainingModule, step: int, ends: bool) -> None:
    """After its last step there is nothing to stop."""
    callback, trainer = Checkpoints(tmp_path / "checkpoints", every=1000, keep=2), trainer_at(step)
    module.interruption.noted.append(signal.SIGTERM)
    if ends:
        with pytest.raises(Interrupted, match=f"stopped by SIGTERM after step {step}"):
            callback.on_train_batch_end(trainer, module, None, a_step(step - 1), 0)
    else:
        callback.on_train_batch_end(trainer, module, None, a_step(step - 1), 0)
    assert list_checkpoints(tmp_path / "checkpoints") == [checkpoint_path(tmp_path / "checkpoints", step)]
    assert trainer.datamodule.next_step == step


def test_validation_that_is_told_to_stop_says_nothing(tmp_path: Path, module: TrainingModule) -> None:
    module.interruption.noted.append(signal.SIGTERM)
    module.validation_step({"transcribed": transcribed_batch()}, 0)
    assert module.validation.read() == {}
    screen = console()
    Validation(RunLog(tmp_path, 1), screen, None).on_validation_end(trainer_at(4), module)
    assert said(screen) == ""
    assert not (tmp_path / "metrics.jsonl").exists()
