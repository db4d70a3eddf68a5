"""What was recognised in a recording."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sprachbund.decoding.times.timestamps import WordTime


@dataclass(frozen=True)
class Alternative:
    """One of several transcripts that were found."""

    text: str
    score: float  # what they are ranked by
    # Unweighted log-probability by what told it: ctc, decoder, lm, ngram.
    parts: Mapping[str, float] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Transcript:
    """What was recognised in one recording."""

    text: str
    score: float  # log-probability of the CTC path, or what the hypotheses of a beam are ranked by
    blank_rate: float | None  # share of frames on which CTC says nothing; None without a CTC head
    num_frames: int
    words: tuple[WordTime, ...] | None = None  # None where no times were asked for
    confidence: float | None = None  # mean of the tokens, 0 to 1; told with the times
    alternatives: tuple[Alternative, ...] = ()  # best first and the text itself among them; empty unless asked for
