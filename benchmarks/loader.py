"""How long an optimizer step waits for its data, with workers that collate, against batches that lie ready."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.timing import Timing
from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.mixture import Mixture, Step, loader
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.objectives.recognition import Recognition
from sprachbund.tokens.text import CharacterTokenizer
from sprachbund.training.assembly.assemble import assemble
from sprachbund.training.optimizer import Adam
from sprachbund.training.recipe import load_recipe

TARGET = 0.1
"""Largest share of a step that may be waiting."""
WARM_UP = 8


@dataclass(frozen=True)
class LoaderRow:
    """The same steps from the loader and from memory."""

    task: str
    workers: int
    loaded: Timing
    """Whole steps, waiting included."""
    cached: Timing
    waiting: float
    """Share of all time with the loader that was spent waiting for a step."""
    target: float = TARGET

    @property
    def slower(self) -> float:
        """How much longer all steps take than from memory: waiting, and what workers take from the arithmetic."""
        return sum(self.loaded.seconds) / sum(self.cached.seconds) - 1.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        plain = asdict(self) | {"loaded": self.loaded.summary(), "cached": self.cached.summary()}
        return plain | {"slower": self.slower}


def loader_row(manifest: Path, *, workers: int = 2, steps: int = 30, overrides: tuple[str, ...] = ()) -> LoaderRow:
    """Fine-tuning steps of the recipe speecht5_tiny_asr on `manifest`, from random weights.

    Its model is the smallest there is, so that steps are short and data must come fast.
    """
    with tempfile.TemporaryDirectory() as folder:
        CharacterTokenizer.train(transcript_of(cut) for cut in read_cuts(manifest)).save(Path(folder))
        own = ("init=null", f"tokenizer={folder}", f"speech.train=[{manifest}]", "speech.valid=[]")
        parts = assemble(load_recipe("speecht5_tiny_asr", (*own, *overrides)), lambda _: None)
    objective = parts.objective
    assert isinstance(objective, Recognition)
    train = _Trainer(objective.train())
    mixture = Mixture(parts.streams, parts.collators)
    source = iter(loader(mixture, workers))
    ready = [next(source) for _ in range(WARM_UP + steps)]
    del source  # and its workers
    # The first steps find queues that were filled in advance.
    source = iter(loader(mixture, workers))
    for _ in range(WARM_UP):
        train(next(source))
    loaded, waited = _timed(train, source, steps)
    del source
    cached, _ = _timed(train, iter(ready[WARM_UP:]), steps)
    return LoaderRow("recognition step of speecht5_tiny_asr", workers, loaded, cached, waited / sum(loaded.seconds))


class _Trainer:
    """What an optimizer step does, without Lightning."""

    def __init__(self, objective: Recognition) -> None:
        self.objective = objective
        self.optimizer = Adam([one for one in objective.parameters() if one.requires_grad], rate=1e-4)

    def __call__(self, step: Step) -> None:
        self.objective.set_step(step.number)
        for micro in step.micros:
            self.objective(micro["transcribed"]).total().backward()
        torch.nn.utils.clip_grad_norm_(self.objective.parameters(), 5.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def _timed(train: _Trainer, source: Iterator[Step], steps: int) -> tuple[Timing, float]:
    """Each step with its waiting, and all waiting."""
    seconds, waited = [], 0.0
    for _ in range(steps):
        start = time.perf_counter()
        step = next(source)
        waited += time.perf_counter() - start
        train(step)
        seconds.append(time.perf_counter() - start)
    return Timing(tuple(seconds)), waited
