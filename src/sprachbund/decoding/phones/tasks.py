"""Cuts as phone models take them: the stretches that are spoken in them, one after another, group by group."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TypeVar

import torch
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from sprachbund.data.aligning.results import Finding, Outcome
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.phones.model import PhoneModel
from sprachbund.errors import AudioError, DataError
from sprachbund.shapes import Array, Float, Int, Tensor
from sprachbund.signal.audio import SAMPLING_RATE

GROUP = 16  # cuts that are decoded together

T = TypeVar("T")
Span = tuple[str, int, int]
"""A symbol, its first frame and the one after its last."""


@dataclass(frozen=True)
class Task:
    """A cut, and for each of its supervisions what is to be done, or why nothing is."""

    cut: Cut
    spoken: tuple[tuple[str, ...] | Outcome, ...]

    @property
    def places(self) -> list[tuple[float, float]]:
        """Start and end of each supervision inside of the cut; without any, of the cut."""
        duration = float(self.cut.duration)
        whole = [(0.0, duration)] if not self.cut.supervisions else []
        return whole or [(max(0.0, said.start), min(duration, said.end)) for said in self.cut.supervisions]

    @cached_property
    def waveform(self) -> Float[Array, " sample"]:
        """All of the cut.

        Raises:
            AudioError: it cannot be read.
            DataError: its recording is none that is read here, or ends before it.
        """
        return read_waveform(self.cut)

    def part(self, place: tuple[float, float]) -> Float[Array, " sample"]:
        """The sound of one of `places`."""
        start, end = place
        return self.waveform[round(start * SAMPLING_RATE) : round(end * SAMPLING_RATE)]


@dataclass(frozen=True, eq=False)
class Heard:
    """A stretch of a cut and the log-probabilities of its frames."""

    words: tuple[str, ...]
    place: tuple[float, float]
    log_probs: Float[Tensor, "frame symbol"]


Decode = Callable[[Sequence[Heard]], Sequence[Finding]]
"""What makes findings of stretches, each of them on its own."""


def find_in_group(model: PhoneModel, tasks: Sequence[Task], decode: Decode) -> list[tuple[Finding, ...]]:
    """The findings of every task; a recording that cannot be read, or stretches that give no numbers, stop no other."""
    waiting = list[Heard]()
    slots: list[list[Finding | int]] = []  # a finding, or the number of a stretch that waits for one
    for task in tasks:
        slots.append([])
        for spoken, place in zip(task.spoken, task.places, strict=True):
            if isinstance(spoken, Outcome):
                slots[-1].append(Finding(spoken))
                continue
            try:
                heard = Heard(spoken, place, model.hear(task.part(place)))
            except (AudioError, DataError) as error:
                slots[-1].append(Finding(Outcome.UNREADABLE, detail=str(error)))
                continue
            slots[-1].append(len(waiting))
            waiting.append(heard)
    found = decode(waiting)
    return [tuple(found[one] if isinstance(one, int) else one for one in slot) for slot in slots]


def in_groups(things: Iterable[T]) -> Iterator[tuple[T, ...]]:
    """`things` in their order, `GROUP` of them together."""
    rest = iter(things)
    while group := tuple(islice(rest, GROUP)):
        yield group


def side_by_side(
    heard: Sequence[Heard], num_symbols: int
) -> tuple[Float[Tensor, "batch frame symbol"], Int[Tensor, " batch"]]:
    """Stretches as a batch, and how many frames each has."""
    lengths = torch.tensor([len(one.log_probs) for one in heard], dtype=torch.long)
    batch = torch.zeros(len(heard), max(map(int, lengths), default=0), num_symbols)
    for row, one in zip(batch, heard, strict=True):
        row[: len(one.log_probs)] = one.log_probs
    return batch, lengths


def timed(spans: Iterable[Span], place: tuple[float, float], frame_shift: float) -> tuple[AlignmentItem, ...]:
    """Items of symbols, in seconds from the start of the cut.

    A label stands for the middle of its frame, so a boundary before frame n is n steps after the start.
    """
    items = []
    for symbol, first, last in spans:
        start, end = (min(place[0] + frame * frame_shift, place[1]) for frame in (first, last))
        items.append(AlignmentItem(symbol, round(start, 8), round(end - start, 8)))
    return tuple(items)
