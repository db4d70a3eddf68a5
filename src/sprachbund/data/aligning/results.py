"""What an aligner finds out about cuts, and how a cut carries it."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from lhotse import CutSet, SupervisionSegment
from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from sprachbund.data.phones import ALIGNMENT_FIELDS, ALIGNMENT_START, DECODED, FINGERPRINT, PHONE, SCORE, WORD

Tiers = Mapping[str, tuple[AlignmentItem, ...]]  # tier -> items, with times from the start of the cut


class Outcome(StrEnum):
    """What became of a transcript."""

    ALIGNED = "aligned"
    DECODED = "without a transcript, phones decoded"
    NO_TRANSCRIPT = "without a transcript"
    NOT_ENGLISH = "not English"
    NO_KNOWN_WORD = "without a word of the dictionary"
    NOT_ALIGNABLE = "not alignable"
    UNLIKELY = "unlikely to be what is said"
    UNREADABLE = "not readable"


@dataclass(frozen=True)
class Finding:
    """What an aligner says of one supervision."""

    outcome: Outcome
    tiers: Tiers = field(default_factory=dict)  # none where there is neither an alignment nor a decoding
    score: float | None = None  # nats a frame, 0 at best: how likely the recording says this
    detail: str = ""  # why there is no alignment
    guessed_words: tuple[str, ...] = ()  # words whose phones were guessed

    def __post_init__(self) -> None:
        assert bool(self.tiers) == (self.outcome in (Outcome.ALIGNED, Outcome.DECODED)), "tiers belong to success"

    def judged(self, min_score: float | None) -> "Finding":
        """The same finding, but unlikely, and without its alignment, where its score is below `min_score`."""
        if min_score is None or self.outcome is not Outcome.ALIGNED or self.score is None or self.score >= min_score:
            return self
        return replace(self, outcome=Outcome.UNLIKELY, tiers={}, detail=f"score {self.score:.2f}, below {min_score:g}")

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        tiers = {
            tier: [[item.symbol, item.start, item.duration] for item in items] for tier, items in self.tiers.items()
        }
        return {
            "outcome": self.outcome.name,
            "tiers": tiers,
            "score": self.score,
            "detail": self.detail,
            "guessed_words": list(self.guessed_words),
        }

    @classmethod
    def from_mapping(cls, plain: Mapping[str, Any]) -> "Finding":
        """What `to_mapping` gave; KeyError, TypeError or ValueError for anything else."""
        score = plain["score"]
        return cls(
            Outcome[plain["outcome"]],
            {str(tier): tuple(_item(*item) for item in items) for tier, items in plain["tiers"].items()},
            None if score is None else float(score),
            str(plain["detail"]),
            tuple(map(str, plain["guessed_words"])),
        )


@runtime_checkable
class Aligner(Protocol):
    """What finds words and phones in time."""

    @property
    def fingerprint(self) -> str:
        """Of all that its alignments depend on beside the cuts: program, weights, settings, dictionary."""
        ...

    def find(self, cuts: Sequence[Cut], jobs: int) -> Iterator[tuple[Finding, ...]]:
        """For each cut in its order a finding for each supervision, and one for a cut without any."""
        ...


@dataclass(frozen=True)
class Judged:
    """A finding and what it is about."""

    cut: str  # its id
    supervision: str | None  # its id; None for a cut without any
    finding: Finding


@dataclass(frozen=True)
class Alignments:
    """All cuts after their alignment."""

    cuts: CutSet
    judged: tuple[Judged, ...]

    @cached_property
    def outcomes(self) -> Counter[Outcome]:
        """How many transcripts came to what."""
        return Counter(one.finding.outcome for one in self.judged)

    @cached_property
    def guessed_words(self) -> Counter[str]:
        """Words whose phones were guessed."""
        return Counter(word for one in self.judged for word in one.finding.guessed_words)

    def unaligned(self) -> list[Judged]:
        """What has no alignment, in the order of the cuts."""
        return [one for one in self.judged if one.finding.outcome is not Outcome.ALIGNED]

    def doubtful(self, score: float) -> list[Judged]:
        """What is aligned with a score below `score`."""
        aligned = (one for one in self.judged if one.finding.outcome is Outcome.ALIGNED)
        return [one for one in aligned if one.finding.score is not None and one.finding.score < score]


def judged_of(cut: Cut, findings: Sequence[Finding]) -> list[Judged]:
    """The findings of a cut with their names."""
    names: list[str | None] = [said.id for said in cut.supervisions] or [None]
    return [Judged(cut.id, name, finding) for name, finding in zip(names, findings, strict=True)]


def with_findings(cut: Cut, findings: Sequence[Finding], fingerprint: str) -> Cut:
    """`cut` with the alignments of `findings`, and without older ones.

    Args:
        cut: as it was given to the aligner.
        findings: one for each supervision; phones decoded for a cut without any get a supervision without a text.
        fingerprint: of the aligner.
    """
    supervisions = cut.supervisions
    if not supervisions and findings[0].tiers:
        supervisions = [SupervisionSegment(cut.id, cut.recording_id, 0.0, cut.duration, channel=cut.channel)]
    if not supervisions:
        return cut
    said = [_with_finding(*pair, fingerprint) for pair in zip(supervisions, findings, strict=True)]
    return fastcopy(cut, supervisions=said)


def _with_finding(said: SupervisionSegment, finding: Finding, fingerprint: str) -> SupervisionSegment:
    custom = {key: value for key, value in (said.custom or {}).items() if key not in ALIGNMENT_FIELDS}
    alignment = {tier: items for tier, items in (said.alignment or {}).items() if tier not in (WORD, PHONE)}
    if finding.tiers:
        alignment |= {tier: list(items) for tier, items in finding.tiers.items()}
        custom |= {ALIGNMENT_START: said.start, FINGERPRINT: fingerprint}
        custom |= {} if finding.score is None else {SCORE: finding.score}
        custom |= {DECODED: True} if finding.outcome is Outcome.DECODED else {}
    return fastcopy(said, alignment=alignment or None, custom=custom or None)


def _item(symbol: str, start: float, duration: float) -> AlignmentItem:
    if not (isinstance(symbol, str) and math.isfinite(start) and math.isfinite(duration)):
        raise ValueError("an item is a symbol with two times")
    return AlignmentItem(symbol, float(start), float(duration))
