"""Optimizer steps out of several streams: each micro-batch draws one batch from every stream.

The collators turn plans into tensors. Everything they draw at random is seeded by run seed, draw and item, so the
number of loader workers and the place of a restart change nothing.

Several processes that train together walk the same plans. Of the micro-batches of a step, process r of n takes those at
the places r, r + n, r + 2n ... and the draws keep their numbers, so that all processes together train on exactly what
one process would.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import device as Device
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sprachbund.data.batches.batch import Batch, Micro
from sprachbund.data.loader_workers import WorkerStart
from sprachbund.data.streams import Cursor, Plan, Stream, endless
from sprachbund.errors import SprachbundError

Collator = Callable[[Plan, int], Batch]


@dataclass(frozen=True)
class Step:
    """All that one process consumes in one optimizer step, and the cursors after the whole step."""

    number: int
    micros: tuple[Micro, ...]
    cursors: Mapping[str, Cursor]
    share: tuple[int, int] = (0, 1)  # which process this is for, of how many

    @property
    def places(self) -> range:
        """The place of each micro-batch in the whole step."""
        first, stride = self.share
        return range(first, first + stride * len(self.micros), stride)

    def to(self, device: Device | str) -> "Step":
        """The same step with its tensors on `device`."""
        micros = tuple({name: batch.to(device) for name, batch in micro.items()} for micro in self.micros)
        return replace(self, micros=micros)


class Mixture(IterableDataset[Step]):
    """Steps without end from a given place.

    Args:
        streams: by name.
        collators: how the plans of each stream become tensors; called with the plan and the number of the draw.
        accumulate: micro-batches of a step, of all processes together.
        share: which process this is for, of how many.
        first_step: number of the first step to yield.
        cursors: the place in each stream before that step.
    """

    def __init__(
        self,
        streams: Mapping[str, Stream],
        collators: Mapping[str, Collator],
        *,
        accumulate: int = 1,
        share: tuple[int, int] = (0, 1),
        first_step: int = 0,
        cursors: Mapping[str, Cursor] | None = None,
    ) -> None:
        super().__init__()
        self.streams, self.collators, self.accumulate = streams, collators, accumulate
        self.share, self.first_step, self.cursors = share, first_step, dict(cursors or {})

    def __iter__(self) -> Iterator[Step]:
        # Workers walk the same plans and each collates every n-th step, which the loader puts in order again.
        worker = get_worker_info()
        turn, turns = (worker.id, worker.num_workers) if worker else (0, 1)
        sources = {name: endless(stream, self.cursors.get(name, Cursor())) for name, stream in self.streams.items()}
        number = self.first_step
        while True:
            drawn = [{name: next(source) for name, source in sources.items()} for _ in range(self.accumulate)]
            if (number - self.first_step) % turns == turn:
                # What a worker raises arrives as its traceback; what it yields arrives as it is.
                yield self._step_or_error(number, drawn) if worker else self._step(number, drawn)
            number += 1

    def _step_or_error(self, number: int, drawn: list[dict[str, tuple[Plan, Cursor]]]) -> Any:
        try:
            return self._step(number, drawn)
        except SprachbundError as error:
            return error

    def _step(self, number: int, drawn: list[dict[str, tuple[Plan, Cursor]]]) -> Step:
        first, stride = self.share
        micros = tuple(
            {
                name: self.collators[name](plan, number * self.accumulate + place)
                for name, (plan, _) in drawn[place].items()
            }
            for place in range(first, len(drawn), stride)
        )
        return Step(number, micros, {name: cursor for name, (_, cursor) in drawn[-1].items()}, self.share)


class StepLoader(DataLoader[Step]):
    """Steps in order; an error of the user's input in a worker is raised here as it was raised there."""

    def __iter__(self) -> Iterator[Step]:  # type: ignore[override]
        for step in super().__iter__():
            if isinstance(step, SprachbundError):
                raise step
            yield step


def loader(mixture: Mixture, num_workers: int) -> StepLoader:
    """A loader that yields the steps of `mixture` in order."""
    return StepLoader(
        mixture,
        batch_size=None,
        num_workers=num_workers,
        prefetch_factor=4 if num_workers else None,
        worker_init_fn=WorkerStart(),
        # Forked workers share the manifests; the children of another kind of server would outlive this process.
        multiprocessing_context="fork" if num_workers and sys.platform.startswith("linux") else None,
    )
