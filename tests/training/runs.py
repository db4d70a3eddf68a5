"""A training run inside the test's own process: trained, read back, stopped at a step."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from sprachbund.checkpoints.store import StoredModel, load_model
from sprachbund.data.mixture import Step
from sprachbund.training.module import TrainingModule
from sprachbund.training.recipe import Recipe
from sprachbund.training.run import train


def trained(recipe: Recipe, folder: Path, *, resume: bool = False) -> StoredModel:
    return load_model(train(recipe, folder, resume=resume, console=Console(file=io.StringIO())))


def figures(folder: Path) -> list[dict[str, Any]]:
    """The log without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "audio_seconds_per_second"} for line in lines]


def die_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual: Callable[[TrainingModule, Step, int], None] = TrainingModule.training_step

    def training_step(self: TrainingModule, batch: Step, batch_idx: int) -> None:
        if batch.number == step:
            raise InterruptedError
        usual(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)


def assert_resumed_exactly(recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> StoredModel:
    """A run of four steps, killed in the fourth and gone on with, is the uninterrupted one bit for bit: the model."""
    whole = trained(recipe, folder / "whole")
    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        die_at(3, patch)
        trained(recipe, folder / "killed")
    resumed = trained(recipe, folder / "killed", resume=True)
    assert whole.weights.keys() == resumed.weights.keys()
    assert all(torch.equal(whole.weights[name], resumed.weights[name]) for name in whole.weights)
    assert figures(folder / "killed") == figures(folder / "whole")
    return whole
