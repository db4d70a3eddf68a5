"""Figures of a run, added up over micro-batches and read out as means."""

import math
from collections.abc import Mapping

from sprachbund.objectives.loss import Loss
from sprachbund.shapes import Tensor


class Figures:
    """Sums and counts by name; a value that is set replaces the one before it."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._latest: dict[str, float] = {}
        self._weights: dict[str, float] = {}

    def add(self, loss: Loss) -> None:
        """Add the terms of a loss, as ``loss/NAME``, and its figures."""
        for term in loss.terms:
            self._weights[term.name] = term.weight
            self.add_mean(f"loss/{term.name}", float(term.sum.detach()), float(term.count))
        for name, (total, count) in loss.figures.items():
            self.add_mean(name, float(total), float(count))

    def add_mean(self, name: str, total: float, count: float) -> None:
        """Add to a mean."""
        self._sums[name] = self._sums.get(name, 0.0) + total
        self._counts[name] = self._counts.get(name, 0.0) + count

    def set(self, **values: float | Tensor) -> None:
        """Figures of which the latest value stands."""
        self._latest.update({name: float(value) for name, value in values.items()})

    def read(self) -> dict[str, float]:
        """Every figure; ``loss`` is the weighted sum of its terms. Begins anew."""
        means = {name: self._sums[name] / count for name, count in self._counts.items() if count}
        terms = {
            name: weight * means[f"loss/{name}"] for name, weight in self._weights.items() if f"loss/{name}" in means
        }
        result = {"loss": math.fsum(terms.values())} if terms else {}
        result |= means | self._latest
        self.__init__()  # type: ignore[misc]
        return result


def flat(figures: Mapping[str, float], digits: int = 6) -> dict[str, float]:
    """The figures rounded to significant digits, for a log that people read."""
    return {name: float(f"{value:.{digits}g}") for name, value in figures.items()}
