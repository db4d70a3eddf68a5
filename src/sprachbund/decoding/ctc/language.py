"""A language model beside the prefixes of a CTC beam search: one state of an automaton a slot."""

import torch

from sprachbund.decoding.ctc.prefixes import Step
from sprachbund.decoding.language.automata import Automaton
from sprachbund.shapes import Float, Int, Tensor


class PrefixLanguage:
    """What a language model says after each prefix, asked once when the prefix first stands in a slot.

    Args:
        automaton: the language model; None says nothing, which costs nothing.
        batch: utterances.
        device: where states are kept.
    """

    def __init__(self, automaton: Automaton | None, batch: int, device: torch.device) -> None:
        self._automaton = automaton
        self._silence = torch.zeros(batch, 1, 1, dtype=torch.float64, device=device)
        if automaton is not None:
            states = automaton.start(batch, device)
            self._states = states[:, None]  # batch slot part
            self._log_probs = automaton.log_probs(states)[:, None]  # batch slot vocab

    def keep(self, batch: int) -> None:
        """Go on with the first utterances only."""
        self._silence = self._silence[:batch]
        if self._automaton is not None:
            self._states, self._log_probs = self._states[:batch], self._log_probs[:batch]

    def gains(
        self, candidates: Int[Tensor, "batch candidate"], num_slots: int
    ) -> Float[Tensor, "batch slot candidate"]:
        """The log-probability of each candidate after each prefix."""
        if self._automaton is None:
            return self._silence.expand(-1, num_slots, candidates.shape[1])
        return self._log_probs.gather(2, candidates[:, None].expand(-1, num_slots, -1)).double()

    def ends(self, eos: int, num_slots: int) -> Float[Tensor, "batch slot"]:
        """The log-probability that the sentence ends after each prefix."""
        return self._silence[:, :, 0].expand(-1, num_slots) if self._automaton is None else self._log_probs[..., eos]

    def follow(self, step: Step) -> None:
        """Go where the prefixes went."""
        if self._automaton is None:
            return
        rows = torch.arange(len(step.origins), device=step.origins.device)[:, None]
        self._states = self._states[rows, step.origins]
        self._log_probs = self._log_probs[rows, step.origins]
        is_grown = step.is_grown
        if bool(is_grown.any()):
            states = self._automaton.advance(self._states[is_grown], step.tokens[is_grown])
            self._states[is_grown] = states
            self._log_probs[is_grown] = self._automaton.log_probs(states).to(self._log_probs.dtype)
