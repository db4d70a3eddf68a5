"""The small deciders of a beam search. Each can be replaced without touching the search in `beam.py`."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch

from sprachbund.errors import RecipeError
from sprachbund.shapes import Float, Int, Tensor

Candidates = Literal["all", "speecht5", "speechut"]
EndRule = Literal["admissible", "fairseq"]


@dataclass(frozen=True, kw_only=True)
class BeamConfig:
    """The choices of a beam search over text tokens."""

    beam: int = 5  # hypotheses kept of each utterance
    num_best: int = 1  # finished hypotheses returned of each utterance; the best one does not depend on it
    max_tokens: int = 400  # longest transcript, the end not counted
    max_tokens_per_frame: float = 1.0  # the same as a share of the encoder's frames; the smaller of the two holds
    min_tokens: int = 1  # shortest transcript, the end not counted
    length_bonus: float = 0.0  # added to the log-probability for every token, the end not counted
    length_penalty: float = 1.0  # a hypothesis scores (log-probability + bonus) / (tokens + 1) ** length_penalty
    start: int = 2  # what the decoder is fed first; the end of the sentence in the SpeechT5 family
    eos: int = 2  # the end of the sentence
    forbidden: tuple[int, ...] = ()  # ids that are never emitted
    ending: EndRule = "admissible"  # when an utterance is done: see `ending.py`
    candidates: Candidates = "all"  # which tokens CTC has a say in: see `fusion.py`
    masks: tuple[int, ...] = ()  # <mask>, <mask>0, <mask>1, ...; no candidates of the rule "speecht5"

    def __post_init__(self) -> None:
        for name, least in (("beam", 1), ("num_best", 1), ("max_tokens", 1), ("min_tokens", 0)):
            if getattr(self, name) < least:
                raise RecipeError(f"{name} is too small", given=getattr(self, name), mend=f"Give at least {least}.")
        if not self.max_tokens_per_frame > 0:
            raise RecipeError(
                "max_tokens_per_frame is too small", given=self.max_tokens_per_frame, mend="Give more than 0."
            )
        for name, usual in (("length_penalty", 1.0), ("length_bonus", 0.0)):
            if not math.isfinite(getattr(self, name)):
                raise RecipeError(f"{name} is no number", given=getattr(self, name), mend=f"Give {usual}, for example.")
        if self.eos in self.forbidden:
            raise RecipeError(
                "the end of the sentence is forbidden", given=self.forbidden, mend=f"Leave {self.eos} out."
            )

    def limit(self, num_frames: int) -> int:
        """Longest transcript of an utterance of `num_frames` encoder frames, the end not counted."""
        # Each utterance has its own limit, else the longest of a batch would decide for the others.
        return min(self.max_tokens, math.ceil(self.max_tokens_per_frame * num_frames))


@runtime_checkable
class Scorer(Protocol):
    """Whatever knows how likely each token comes next: a text decoder, a CTC prefix or a language model.

    It keeps one state a row, and a row is one live hypothesis; it starts with one row an utterance, and rows of one
    utterance stay neighbours. Log-probabilities are natural and never above 0.
    """

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities of the token after each row, whose newest token is `last_tokens`."""
        ...

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows: some are dropped, some repeated; their number may change.

        May come before the first score, to drop utterances.
        """
        ...


@dataclass(frozen=True)
class Weighted:
    """A scorer and its say in the search."""

    name: str  # "decoder", "ctc", "lm", "ngram": the key of its sum in `Hypothesis.parts`
    scorer: Scorer
    weight: float  # its log-probabilities are multiplied by this

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0):
            raise RecipeError(f"the weight of {self.name} cannot be used", given=self.weight, mend="Give 0 or more.")


@dataclass(frozen=True)
class AllowedTokens:
    """The candidate rule: forbidden ids never, no end before `min_tokens`, nothing but the end at the limit."""

    eos: int
    min_tokens: int
    forbidden: tuple[int, ...]

    def restrict(
        self, log_probs: Float[Tensor, "row vocab"], num_tokens: int, limits: Int[Tensor, " row"]
    ) -> Float[Tensor, "row vocab"]:
        """The same log-probabilities, minus infinity where a token may not follow `num_tokens` tokens."""
        allowed = log_probs.clone()
        allowed[:, list(self.forbidden)] = -torch.inf
        at_limit = limits <= num_tokens
        if num_tokens < self.min_tokens:
            # The limit wins over the least length: an utterance of few frames must still end.
            allowed[:, self.eos].masked_fill_(~at_limit, -torch.inf)
        ends = allowed[:, self.eos].clone()
        allowed[at_limit] = -torch.inf
        allowed[:, self.eos] = ends
        return allowed


@dataclass(frozen=True)
class LengthNormalized:
    """The ranker: log-probability and bonus divided by a power of the length, the end of the sentence counted.

    With a power of 0 long transcripts are punished for every token; 1 compares the mean of the tokens.
    """

    length_penalty: float
    length_bonus: float = 0.0  # for every token, the end not counted

    def score(self, log_probability: float, num_tokens: float) -> float:
        """The score of a finished hypothesis of `num_tokens` tokens and the end."""
        return (log_probability + self.length_bonus * num_tokens) / float((num_tokens + 1) ** self.length_penalty)

    def best_possible(self, log_probability: float, num_tokens: int, limit: int) -> float:
        """The most that a live hypothesis of `num_tokens` tokens can still score: every further token costs nothing."""
        longest = max(limit, num_tokens)
        lengths = [float(num_tokens), float(longest)]
        # With a bonus the score may be best between the two: where its derivative by the length is 0.
        slope = (1.0 - self.length_penalty) * self.length_bonus
        if slope:
            turn = self.length_penalty * (log_probability - self.length_bonus) / slope - 1.0
            lengths.append(min(max(turn, num_tokens), longest))
        return max(self.score(log_probability, length) for length in lengths)
