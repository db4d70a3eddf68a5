"""What decoding returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Hypothesis:
    """One transcript in token ids, and how good its decoder found it."""

    tokens: tuple[int, ...]  # text tokens only: no start, no end, no blank
    score: float  # what hypotheses of one utterance are ranked by, larger is better
    log_probability: float  # natural logarithm, weighted, not normalised by length, the end of the sentence included
    # Unweighted log-probability by scorer name, where several scorers shared the search. Not part of the hash: a dict.
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)
    confidences: tuple[float, ...] = ()  # one a token, 0 to 1; empty where none were computed
