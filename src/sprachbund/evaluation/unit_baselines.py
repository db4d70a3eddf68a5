"""What units of text are measured against: the commonest unit of a phone, and another rendering of the same phone."""

from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from sprachbund.data.batches.masking import row_generator
from sprachbund.data.paired_units import PairedExample
from sprachbund.shapes import Array, Int
from sprachbund.tokens.phones import SILENCE

Rendering = Int[Array, " _"]


def commonest_units(examples: Iterable[PairedExample]) -> dict[str, int]:
    """The most frequent unit of each phone, the lowest of equally frequent ones."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for example in examples:
        for phone, units in zip(example.phones, _renderings(example), strict=True):
            counts[phone].update(units.tolist())
    return {phone: min(found, key=lambda unit: (-found[unit], unit)) for phone, found in counts.items() if found}


class OtherRenderings:
    """Units of a phone taken from other speech: the same phone between the same neighbours, where there is one.

    Where there is none, the same phone with one of the neighbours will do, else the same phone anywhere.

    Args:
        examples: of the other speech.
        seed: of the choice among equally good renderings.
    """

    def __init__(self, examples: Iterable[PairedExample], seed: int = 0) -> None:
        self.seed = seed
        self._found: dict[tuple[str, ...], list[Rendering]] = defaultdict(list)
        for example in examples:
            for keys, units in zip(_contexts(example), _renderings(example), strict=True):
                for key in keys if len(units) else ():
                    self._found[key].append(units)

    def of(self, example: PairedExample) -> Int[Array, " unit"]:
        """Units as long as those of `example`, every phone being another's; silence where a phone was never heard."""
        generator = row_generator(self.seed, 0, example.id, "renderings")
        parts = [np.zeros(0, dtype=np.int64)]
        for keys, duration in zip(_contexts(example), example.durations.tolist(), strict=True):
            found = next((self._found[key] for key in (*keys, (SILENCE,)) if key in self._found), None)
            if duration and found:
                parts.append(stretched(found[generator.randint(len(found))], duration))
            else:
                parts.append(np.zeros(duration, dtype=np.int64))
        return np.concatenate(parts)


def stretched(units: Int[Array, " unit"], length: int) -> Int[Array, " length"]:
    """As many units as `length` says, each repeated or left out alike."""
    result: Int[Array, " length"] = units[((np.arange(length) + 0.5) * len(units) / length).astype(np.int64)]
    return result


def _renderings(example: PairedExample) -> list[Rendering]:
    """The units of each phone."""
    return np.split(example.units, np.cumsum(example.durations)[:-1])


def _contexts(example: PairedExample) -> list[tuple[tuple[str, ...], ...]]:
    """The keys of each phone, the closest first."""
    phones = ("", *example.phones, "")
    return [
        ((before, phone, after), (before, phone, "*"), ("*", phone, after), (phone,))
        for before, phone, after in zip(phones, phones[1:], phones[2:], strict=False)
    ]
