"""Optimizer steps out of several streams: each micro-batch draws one batch from every stream.

The collators turn plans into tensors. Everything they draw at random is seeded by run seed, step and item, so the
number of loader workers and the place of a restart change nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import device as Device
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from sprachbund.data.batch import Batch, Micro
from sprachbund.data.streams import Cursor, Plan, Stream, endless
from sprachbund.errors import SprachbundError

Collator = Callable[[Plan, int], Batch]


@dataclass(frozen=True)
class Step:
    """All that one optimizer step consumes, and the cursors after it."""

    number: int
    micros: tuple[Micro, ...]
    cursors: Mapping[str, Cursor]

    def to(self, device: Device | str) -> "Step":
        """The same step with its tensors on `device`."""
        micros = tuple({name: batch.to(device) for name, batch in micro.items()} for micro in self.micros)
        return replace(self, micros=micros)


class Mixture(IterableDataset[Step]):
    """Steps without end from a given place.

    Args:
        streams: by name.
        collators: how the plans of each stream become tensors; called with the plan and the number of the draw.
        accumulate: micro-batches of a step.
        first_step: number of the first step to yield.
        cursors: the place in each stream before that step.
    """

    def __init__(
        self,
        streams: Mapping[str, Stream],
        collators: Mapping[str, Collator],
        *,
        accumulate: int = 1,
        first_step: int = 0,
        cursors: Mapping[str, Cursor] | None = None,
    ) -> None:
        super().__init__()
        self.streams, self.collators, self.accumulate = streams, collators, accumulate
        self.first_step, self.cursors = first_step, dict(cursors or {})

    def __iter__(self) -> Iterator[Step]:
        # Workers walk the same plans and each collates every n-th step, which the loader puts in order again.
        worker = get_worker_info()
        share, shares = (worker.id, worker.num_workers) if worker else (0, 1)
        sources = {name: endless(stream, self.cursors.get(name, Cursor())) for name, stream in self.streams.items()}
        number = self.first_step
        while True:
            drawn = [{name: next(source) for name, source in sources.items()} for _ in range(self.accumulate)]
            if (number - self.first_step) % shares == share:
                # What a worker raises arrives as its traceback; what it yields arrives as it is.
                yield self._step_or_error(number, drawn) if worker else self._step(number, drawn)
            number += 1

    def _step_or_error(self, number: int, drawn: list[dict[str, tuple[Plan, Cursor]]]) -> Any:
        try:
            return self._step(number, drawn)
        except SprachbundError as error:
            return error

    def _step(self, number: int, drawn: list[dict[str, tuple[Plan, Cursor]]]) -> Step:
        micros = tuple(
            {name: self.collators[name](plan, number * self.accumulate + place) for name, (plan, _) in one.items()}
            for place, one in enumerate(drawn)
        )
        return Step(number, micros, {name: cursor for name, (_, cursor) in drawn[-1].items()})


class StepLoader(DataLoader[Step]):
    """Steps in order; an error of the user's input in a worker is raised here as it was raised there."""

    def __iter__(self) -> Iterator[Step]:  # type: ignore[override]
        for step in super().__iter__():
            if isinstance(step, SprachbundError):
                raise step
            yield step


def loader(mixture: Mixture, num_workers: int) -> StepLoader:
    """A loader that yields the steps of `mixture` in order."""
    return StepLoader(mixture, batch_size=None, num_workers=num_workers, prefetch_factor=4 if num_workers else None)
