"""Losses as sums with explicit normalisers, so that splitting a batch into micro-batches changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from sprachbund.shapes import Float, Tensor

Figure = tuple[Float[Tensor, ""], Float[Tensor, ""] | float]
"""A sum and its count; both add up over batches."""


@dataclass(frozen=True)
class LossTerm:
    """One part of a loss: its share of the total is ``weight * sum / count``."""

    name: str
    weight: float
    sum: Float[Tensor, ""]
    count: float
    """Known from the batch alone, and additive over micro-batches."""


@dataclass(frozen=True)
class Loss:
    """The terms of one micro-batch, and figures for the log."""

    terms: tuple[LossTerm, ...]
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def total(self, counts: Mapping[str, float] | None = None) -> Float[Tensor, ""]:
        """The number to differentiate.

        Args:
            counts: of each term over the whole accumulation window (`add_counts`); None for this micro-batch alone.
                The totals of all micro-batches of a window, each with the window's counts, add up to the total of
                the window as one batch. A term that nothing counts for is zero.
        """
        total = torch.zeros(())
        for term in self.terms:
            count = term.count if counts is None else counts[term.name]
            total = total.to(term.sum.device) + term.sum * (term.weight / count if count > 0 else 0.0)
        return total

    def prefixed(self, prefix: str, weight: float = 1.0) -> "Loss":
        """The same with `prefix` before every name, and every weight times `weight`."""
        terms = tuple(replace(term, name=f"{prefix}{term.name}", weight=weight * term.weight) for term in self.terms)
        return Loss(terms, {f"{prefix}{name}": figure for name, figure in self.figures.items()})


def add_counts(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Counts of two micro-batches together."""
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}


def merge_losses(losses: Mapping[str, Loss], weights: Mapping[str, float]) -> Loss:
    """One loss of several streams; names become ``stream/name``."""
    prefixed = [loss.prefixed(f"{stream}/", weights[stream]) for stream, loss in losses.items()]
    figures = {name: figure for loss in prefixed for name, figure in loss.figures.items()}
    return Loss(tuple(term for loss in prefixed for term in loss.terms), figures)
