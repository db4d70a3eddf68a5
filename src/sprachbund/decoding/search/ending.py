"""Which extensions of a step are finished, which live on, and when an utterance is done: one object an utterance."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.decoding.search.roles import BeamConfig, LengthNormalized


@runtime_checkable
class Ending(Protocol):
    """The end detection of one utterance, and its finished hypotheses."""

    def split(self, ends: Sequence[bool]) -> tuple[list[int], list[int]]:
        """Of the likeliest extensions of a step, likelier ones first: which are finished, and which live on."""
        ...

    def add(self, hypothesis: Hypothesis) -> None:
        """A finished hypothesis; of one step the likelier ones come first."""
        ...

    def is_open(self, log_probability: float, num_tokens: int, limit: int) -> bool:
        """Whether the search goes on where the likeliest live hypothesis is this one."""
        ...

    def best(self) -> list[Hypothesis]:
        """The finished hypotheses that are returned, best first."""
        ...


@dataclass
class BestFinished:
    """The default: what ends among the `beam` likeliest is finished; done when no live hypothesis can win any more.

    The end detection never loses a hypothesis that the search would have found: it asks for the most that a live
    hypothesis can still score.
    """

    num_best: int
    ranker: LengthNormalized
    hypotheses: list[Hypothesis] = field(default_factory=list)

    def split(self, ends: Sequence[bool]) -> tuple[list[int], list[int]]:
        """All of them count."""
        return [place for place, end in enumerate(ends) if end], [place for place, end in enumerate(ends) if not end]

    def add(self, hypothesis: Hypothesis) -> None:
        """Keep it if it is among the best; of equal ones the first that finished stands first."""
        self.hypotheses.append(hypothesis)
        self.hypotheses.sort(key=lambda other: -other.score)
        del self.hypotheses[self.num_best :]

    def is_open(self, log_probability: float, num_tokens: int, limit: int) -> bool:
        """Whether a live hypothesis could still come in among the best."""
        if len(self.hypotheses) < self.num_best:
            return True
        return self.ranker.best_possible(log_probability, num_tokens, limit) > self.hypotheses[-1].score

    def best(self) -> list[Hypothesis]:
        """All that are kept."""
        return self.hypotheses


@dataclass
class FirstFinished:
    """The rule of fairseq: of 2 x `beam` extensions those among the first `beam` that end are finished.

    The first `beam` others live on, and the utterance is done with its first `beam` finished hypotheses, even where a
    live one would score more.
    """

    beam: int
    num_best: int
    hypotheses: list[Hypothesis] = field(default_factory=list)

    def split(self, ends: Sequence[bool]) -> tuple[list[int], list[int]]:
        """An end after the first `beam` is lost."""
        finished = [place for place, end in enumerate(ends[: self.beam]) if end]
        return finished, [place for place, end in enumerate(ends) if not end][: self.beam]

    def add(self, hypothesis: Hypothesis) -> None:
        """Keep it if there is room."""
        if len(self.hypotheses) < self.beam:
            self.hypotheses.append(hypothesis)

    def is_open(self, log_probability: float, num_tokens: int, limit: int) -> bool:
        """Whether there is room."""
        return len(self.hypotheses) < self.beam

    def best(self) -> list[Hypothesis]:
        """The best of the first."""
        return sorted(self.hypotheses, key=lambda hypothesis: -hypothesis.score)[: self.num_best]


def ending_of(config: BeamConfig, ranker: LengthNormalized) -> Ending:
    """The end detection of one utterance."""
    if config.ending == "fairseq":
        return FirstFinished(config.beam, config.num_best)
    return BestFinished(config.num_best, ranker)
