"""The small deciders of a beam search. Each can be replaced without touching the search in `beam.py`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.errors import RecipeError
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True, kw_only=True)
class BeamConfig:
    """The choices of a beam search over text tokens."""

    beam: int = 5  # hypotheses kept of each utterance
    num_best: int = 1  # finished hypotheses returned of each utterance; the best one does not depend on it
    max_tokens: int = 400  # longest transcript, the end not counted
    max_tokens_per_frame: float = 1.0  # the same as a share of the encoder's frames; the smaller of the two holds
    min_tokens: int = 1  # shortest transcript, the end not counted
    length_penalty: float = 1.0  # a hypothesis scores its log-probability / (tokens + 1) ** length_penalty
    start: int = 2  # what the decoder is fed first; the end of the sentence in the SpeechT5 family
    eos: int = 2  # the end of the sentence
    forbidden: tuple[int, ...] = ()  # ids that are never emitted

    def __post_init__(self) -> None:
        for name, least in (("beam", 1), ("num_best", 1), ("max_tokens", 1), ("min_tokens", 0)):
            if getattr(self, name) < least:
                raise RecipeError(f"{name} is too small", given=getattr(self, name), mend=f"Give at least {least}.")
        if not self.max_tokens_per_frame > 0:
            raise RecipeError(
                "max_tokens_per_frame is too small", given=self.max_tokens_per_frame, mend="Give more than 0."
            )
        if not math.isfinite(self.length_penalty):
            raise RecipeError("length_penalty is no number", given=self.length_penalty, mend="Give 1.0, for example.")
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
    """Whatever knows how likely each token comes next: a text decoder, and later a CTC prefix or a language model.

    It keeps one state a row, and a row is one live hypothesis; it starts with one row an utterance.
    """

    def score(self, last_tokens: Int[Tensor, " row"]) -> Float[Tensor, "row vocab"]:
        """Log-probabilities of the token after each row, whose newest token is `last_tokens`."""
        ...

    def reorder(self, rows: Int[Tensor, " kept"]) -> None:
        """Go on with these rows: some are dropped, some repeated; their number may change."""
        ...


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
    """The ranker: log-probability divided by a power of the length, the end of the sentence counted.

    With a power of 0 long transcripts are punished for every token; 1 compares the mean of the tokens.
    """

    length_penalty: float

    def score(self, log_probability: float, num_tokens: int) -> float:
        """The score of a finished hypothesis of `num_tokens` tokens and the end."""
        return log_probability / float((num_tokens + 1) ** self.length_penalty)

    def best_possible(self, log_probability: float, num_tokens: int, limit: int) -> float:
        """The most that a live hypothesis of `num_tokens` tokens can still score: every further token costs nothing."""
        return max(self.score(log_probability, num_tokens), self.score(log_probability, max(limit, num_tokens)))


@dataclass
class Finished:
    """The best finished hypotheses of one utterance, best first, and the end detection that follows from them."""

    num_best: int
    ranker: LengthNormalized
    hypotheses: list[Hypothesis] = field(default_factory=list)

    def add(self, tokens: Sequence[int], log_probability: float) -> None:
        """Keep the hypothesis if it is among the best; of equal ones the first that finished stands first."""
        score = self.ranker.score(log_probability, len(tokens))
        self.hypotheses.append(Hypothesis(tuple(tokens), score, log_probability))
        self.hypotheses.sort(key=lambda hypothesis: -hypothesis.score)
        del self.hypotheses[self.num_best :]

    def is_beaten_by(self, log_probability: float, num_tokens: int, limit: int) -> bool:
        """Whether a live hypothesis could still come in among the best."""
        if len(self.hypotheses) < self.num_best:
            return True
        return self.ranker.best_possible(log_probability, num_tokens, limit) > self.hypotheses[-1].score
