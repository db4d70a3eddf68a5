"""Figures of a run, added up over micro-batches and read out as means."""

import math
from collections.abc import Mapping
from typing import Any

from sprachbund.objectives.loss import Loss
from sprachbund.shapes import Tensor
from sprachbund.training.distributed import gather, process_rank


class Figures:
    """Sums and counts by name; a value that is set replaces the one before it."""

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._latest: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        if state is not None:
            self._include(state)

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

    def collect(self) -> None:
        """Move what all processes have added into the first one; every process must ask."""
        states = gather(self.state())
        self.__init__()  # type: ignore[misc]
        for state in states if process_rank() == 0 else ():
            self._include(state)

    def state(self) -> dict[str, Any]:
        """Plain values, which make the same figures again."""
        return {"sums": self._sums, "counts": self._counts, "latest": self._latest, "weights": self._weights}

    def _include(self, state: Mapping[str, Any]) -> None:
        for name, total in state["sums"].items():
            self.add_mean(name, total, state["counts"][name])
        self._latest.update(state["latest"])
        self._weights.update(state["weights"])

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
