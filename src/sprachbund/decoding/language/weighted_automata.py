"""Several language models as one automaton, for a search that takes one: each step adds their weighted logarithms."""

from collections.abc import Sequence

import torch

from sprachbund.decoding.language.automata import Automaton
from sprachbund.shapes import Float, Int, Tensor


class WeightedAutomata:
    """An `Automaton` that scores what its parts score, each times its weight.

    Args:
        parts: automata over the same vocabulary and their weights, which are above 0; what one of them cannot say, the
            whole cannot say.
    """

    def __init__(self, parts: Sequence[tuple[Automaton, float]]) -> None:
        assert parts and all(weight > 0 for _, weight in parts), "0 times minus infinity is no number"
        self._parts = tuple(parts)

    def start(self, num_rows: int, device: torch.device) -> Int[Tensor, "row part"]:
        """The states of all automata side by side."""
        states = [automaton.start(num_rows, device) for automaton, _ in self._parts]
        self._widths = [part.shape[1] for part in states]
        return torch.cat(states, dim=1)

    def log_probs(self, states: Int[Tensor, "row part"]) -> Float[Tensor, "row vocab"]:
        """The weighted sum."""
        split = zip(self._parts, self._split(states), strict=True)
        weighted = [weight * automaton.log_probs(part) for (automaton, weight), part in split]
        return torch.stack(weighted).sum(dim=0)

    def advance(self, states: Int[Tensor, "row part"], tokens: Int[Tensor, " row"]) -> Int[Tensor, "row part"]:
        """Each goes on for itself."""
        split = zip(self._parts, self._split(states), strict=True)
        return torch.cat([automaton.advance(part, tokens) for (automaton, _), part in split], dim=1)

    def _split(self, states: Int[Tensor, "row part"]) -> tuple[Tensor, ...]:
        return torch.split(states, self._widths, dim=1)
