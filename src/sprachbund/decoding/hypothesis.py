"""What decoding returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One transcript in token ids, and how good its decoder found it."""

    tokens: tuple[int, ...]  # text tokens only: no start, no end, no blank
    score: float  # what hypotheses of one utterance are ranked by, larger is better
    log_probability: float  # natural logarithm, not normalised by length, the end of the sentence included
