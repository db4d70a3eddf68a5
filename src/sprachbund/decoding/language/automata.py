"""Language models whose state is a few integers, so that hypotheses grow one by one or all together."""

from typing import Protocol, runtime_checkable

import torch

from sprachbund.shapes import Float, Int, Tensor


@runtime_checkable
class Automaton(Protocol):
    """A language model over the recogniser's tokens: states are rows of integers, and what a state allows is fixed.

    Rows know nothing of each other, so they may be repeated, dropped and mixed at will.
    """

    def start(self, num_rows: int, device: torch.device) -> Int[Tensor, "row part"]:
        """The state before the first token, once a row."""
        ...

    def log_probs(self, states: Int[Tensor, "row part"]) -> Float[Tensor, "row vocab"]:
        """Natural logarithms of how likely each token comes next, the end of the sentence at its id.

        Minus infinity where the model cannot say a token at all.
        """
        ...

    def advance(self, states: Int[Tensor, "row part"], tokens: Int[Tensor, " row"]) -> Int[Tensor, "row part"]:
        """The states after one more token each."""
        ...


class AutomatonScorer:
    """An automaton as a `Scorer` of the beam search.

    Args:
        automaton: the language model.
        num_rows: utterances; the search starts with one row each.
        device: where states and scores are kept.
    """

    def __init__(self, automaton: Automaton, num_rows: int, device: torch.device) -> None:
        self.automaton = automaton
        self._states = automaton.start(num_rows, device)
        self._is_started = False

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """See `Scorer.score`; the tokens of the first call only say that the sentence begins."""
        if self._is_started:
            self._states = self.automaton.advance(self._states, last_tokens)
        self._is_started = True
        return self.automaton.log_probs(self._states)

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """See `Scorer.reorder`."""
        self._states = self._states[rows]
