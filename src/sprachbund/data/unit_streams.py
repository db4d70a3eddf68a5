"""Streams of units without speech: with their text, or alone, units of speech mixed with units made of text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sprachbund.data.batches.masking import derived_seed
from sprachbund.data.streams import LineStream
from sprachbund.data.text.memory import TOKENS, UNITS, ChainedLines, IdLines
from sprachbund.data.text.shuffle import shuffled
from sprachbund.errors import DataError, RecipeError
from sprachbund.shapes import Array, Int

MARKS = 1  # the end of a sequence of units


@dataclass(frozen=True)
class UnitText:
    """Units and the text that they stand for."""

    id: str
    units: Int[Array, " unit"]  # dictionary ids
    tokens: Int[Array, " token"]


@dataclass(frozen=True)
class UnitLine:
    """Units alone."""

    id: str
    units: Int[Array, " unit"]  # dictionary ids


class PairedStream(LineStream):
    """Pairs of units and text, batched with pairs of like length in units.

    Args:
        lines: with the fields ``units`` and ``tokens``.
        batch_units: units of a batch after padding, the mark at the end included.
        seed: decides, with the pass, the order.
        shuffle: keep the order of the pairs where False.
    """

    def __init__(self, lines: IdLines, batch_units: int, *, seed: int = 0, shuffle: bool = True) -> None:
        super().__init__(batch_units, seed=seed, shuffle=shuffle)
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def _total(self) -> int:
        return self._lines.num_items(UNITS) + MARKS * len(self)

    def _sizes(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        return self._lines.lengths(UNITS, numbers) + MARKS

    def _item(self, number: int) -> UnitText:
        tokens = self._lines.tokens(TOKENS, number)
        return UnitText(f"pair-{number:09d}", self._lines.tokens(UNITS, number), tokens)


class UnitStream(LineStream):
    """Lines of units of several sources, mixed.

    With shares, a pass holds as many lines of each source as its share asks for; the next pass goes on in the order of
    each source where this one ended, so that all lines of a source have their turn before one comes again.

    Args:
        sources: lines with the field ``units``.
        batch_units: units of a batch after padding, the mark at the end included.
        shares: of the lines, one for each source; None for all lines of all sources in each pass.
        seed: decides, with the pass, which lines and their order.
        shuffle: keep the order of sources and lines where False; then there are no shares.

    Raises:
        RecipeError: shares that are not above 0, or not as many as sources.
        DataError: a source with a share has no line.
    """

    def __init__(
        self,
        sources: Sequence[IdLines],
        batch_units: int,
        *,
        shares: Sequence[float] | None = None,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        super().__init__(batch_units, seed=seed, shuffle=shuffle)
        self._lines = ChainedLines(sources)
        self._sources = sources
        self.counts = _counts([len(source) for source in sources], shares)
        self._starts = np.cumsum([0, *self.counts])
        self._is_mixed = shuffle and shares is not None

    def __len__(self) -> int:
        return int(self._starts[-1])

    def _total(self) -> int:
        """By the mean of each source."""
        drawn = zip(self._sources, self.counts, strict=True)
        return sum(count * source.num_items(UNITS) // max(1, len(source)) + MARKS * count for source, count in drawn)

    def _sizes(self, numbers: Int[Array, " number"]) -> Int[Array, " number"]:
        return self._lines.lengths(UNITS, numbers) + MARKS

    def _numbers(self, epoch: int, places: Int[Array, " place"]) -> Int[Array, " place"]:
        if not self._is_mixed:
            return places
        owners = np.searchsorted(self._starts, places, side="right") - 1
        numbers, offset = np.zeros_like(places), 0
        for number, (source, count) in enumerate(zip(self._sources, self.counts, strict=True)):
            mine = owners == number
            numbers[mine] = offset + self._drawn(number, epoch * count + places[mine] - self._starts[number])
            offset += len(source)
        return numbers

    def _drawn(self, source: int, turns: Int[Array, " turn"]) -> Int[Array, " turn"]:
        """The lines of a source whose turn it is; its order changes when all of them have had one."""
        size = len(self._sources[source])
        lines = np.zeros_like(turns)
        for round_ in np.unique(turns // size).tolist():
            mine = turns // size == round_
            key = derived_seed(self.seed, round_, f"source {source}", "order of units")
            lines[mine] = shuffled(turns[mine] % size, size, key)
        return lines

    def _item(self, number: int) -> UnitLine:
        return UnitLine(f"units-{number:09d}", self._lines.tokens(UNITS, number))


def _counts(sizes: Sequence[int], shares: Sequence[float] | None) -> list[int]:
    """Lines of each source in a pass: as many as the shares allow while no source gives more than it has."""
    if shares is None:
        return list(sizes)
    if len(shares) != len(sizes) or min(shares, default=0) <= 0:
        given = ", ".join(map(str, shares))
        raise RecipeError(
            "the shares of a mixture do not go with its sources",
            given=f"{given} for {len(sizes)} sources",
            mend="Give one share above 0 for each source.",
        )
    if 0 in sizes:
        raise DataError("a source of units has no line left", given=f"source {sizes.index(0) + 1} of {len(sizes)}")
    scale = min(size / share for size, share in zip(sizes, shares, strict=True))
    return [min(size, max(1, round(scale * share))) for size, share in zip(sizes, shares, strict=True)]
