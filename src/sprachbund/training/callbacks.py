"""What happens beside the steps: the log, the progress bar, checkpoints, and decoded samples in validation."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from sprachbund.data.mixture import Step
from sprachbund.files import write_atomically
from sprachbund.training.checkpointing import AtomicCheckpointIO, checkpoint_path, list_checkpoints
from sprachbund.training.data import TrainingData
from sprachbund.training.distributed import process_rank, sum_over_processes
from sprachbund.training.figures import flat
from sprachbund.training.interruption import Interrupted
from sprachbund.training.module import TrainingModule

METRICS = "metrics.jsonl"
SAMPLE_RATE = 16000


class RunLog(Callback):
    """One JSON object a line in metrics.jsonl, and the same figures for TensorBoard, by the first process."""

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder, every
        self._seconds = 0.0
        self._started = self._paused = 0.0
        self._writer: SummaryWriter | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drop log lines of steps that a resumed run is about to make again."""
        path = self.folder / METRICS
        if process_rank() == 0:
            if path.exists():
                kept = [line for line in path.read_text("utf-8").splitlines() if _step_of(line) <= trainer.global_step]
                with write_atomically(path, "w") as handle:
                    handle.write("".join(f"{line}\n" for line in kept))
            self._writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=trainer.global_step or None)
        self._started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Step, batch_idx: int
    ) -> None:
        """Write the means of the last steps."""
        lengths = [
            part.waveform_lengths
            for micro in batch.micros
            for part in micro.values()
            if hasattr(part, "waveform_lengths")
        ]
        self._seconds += sum(float(length.sum()) for length in lengths) / SAMPLE_RATE
        if trainer.global_step % self.every == 0 or trainer.global_step == trainer.max_steps:
            elapsed = time.perf_counter() - self._started
            seconds = sum_over_processes({"seconds": self._seconds})["seconds"]
            _module(pl_module).figures.collect()
            figures = _module(pl_module).figures.read()
            figures["audio_seconds_per_second"] = seconds / elapsed
            self.write("train", trainer.global_step, figures)
            self._seconds, self._started = 0.0, time.perf_counter()

    def pause(self) -> None:
        """Let the time until `go_on` not count as training."""
        self._paused = time.perf_counter()

    def go_on(self) -> None:
        """End a pause."""
        self._started += time.perf_counter() - self._paused

    def write(self, split: str, step: int, figures: dict[str, float]) -> None:
        """Append one line."""
        if process_rank() != 0:
            return
        line = {"step": step, "split": split, **flat(figures)}
        with (self.folder / METRICS).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(line) + "\n")
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(f"{split}/{name}", value, step)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the TensorBoard file."""
        if self._writer is not None:
            self._writer.close()


class ProgressBar(Callback):
    """A bar over the optimizer steps of the whole run, with the loss and the time left."""

    def __init__(self, console: Console) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, transient=True)
        self._task: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        self._task = self.progress.add_task("training", total=trainer.max_steps, completed=trainer.global_step)
        self.progress.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        """Move the bar."""
        self.progress.update(self._task, completed=trainer.global_step)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Take the bar away, after an error too."""
        self.progress.stop()


class Checkpoints(Callback):
    """A checkpoint every so many steps, at the end, and when the run is told to stop; the newest few are kept."""

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From now on a Ctrl-C waits for the end of a step."""
        _module(pl_module).interruption.watch()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Step, batch_idx: int
    ) -> None:
        """Note the consumed batches, then save if it is time.

        Raises:
            Interrupted: the run was told to stop, and what it has done is saved.
        """
        _data(trainer).consumed(batch)
        is_last = trainer.global_step == trainer.max_steps
        told = _module(pl_module).interruption.agree(pl_module.device)
        if trainer.global_step % self.every == 0 or is_last or told:
            self._save(trainer)
        if told and not is_last:
            raise Interrupted(told, trainer.global_step)

    def _save(self, trainer: Trainer) -> None:
        # All processes take part, and the first one writes.
        trainer.save_checkpoint(checkpoint_path(self.folder, trainer.global_step))
        if process_rank() == 0:
            for old in list_checkpoints(self.folder)[self.keep :]:
                AtomicCheckpointIO().remove_checkpoint(old)


class Validation(Callback):
    """Log held-out figures; `inspect`, if given, adds figures and tells decoded samples."""

    def __init__(
        self, log: RunLog, console: Console, inspect: Callable[[], tuple[dict[str, float], str]] | None
    ) -> None:
        self.run_log, self.console, self.inspect = log, console, inspect

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock of training."""
        self.run_log.pause()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write one line and say it, unless the run was told to stop and left clips out."""
        module = _module(pl_module)
        module.validation.collect()
        figures = module.validation.read()
        if module.interruption.agreed:
            return
        samples = ""
        if self.inspect is not None:
            more, samples = self.inspect()
            figures |= more
        self.run_log.write("valid", trainer.global_step, figures)
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if not name.startswith("loss/"))
        self.console.print(f"step {trainer.global_step}: held out {shown}", highlight=False, markup=False)
        if samples:
            self.console.print(samples, highlight=False, markup=False)
        self.run_log.go_on()


def _step_of(line: str) -> int:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        # A line cut by a kill counts as not written.
        return 1 << 62


def _module(module: LightningModule) -> TrainingModule:
    assert isinstance(module, TrainingModule)
    return module


def _data(trainer: Trainer) -> TrainingData:
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, TrainingData)
    return data
