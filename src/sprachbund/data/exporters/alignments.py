"""What exporters of alignments have in common: the words and phones of the cuts of one manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lhotse.cut import Cut
from lhotse.supervision import AlignmentItem

from sprachbund.data.phones import PHONE, WORD, items_of
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import DataError

TIERS = (WORD, PHONE)


@dataclass(frozen=True)
class AlignedCut:
    """A cut with words and phones, whose times count from its start."""

    id: str
    duration: float
    tiers: dict[str, list[AlignmentItem]]  # words, and phones

    def fault(self, what: str, given: str, mend: str) -> DataError:
        """The error to raise about this cut."""
        return DataError(what, where=f"cut {self.id}", given=given, mend=mend)


def aligned_cuts(manifests: Sequence[Path]) -> tuple[list[AlignedCut], int]:
    """The cuts of one manifest that have words or phones in time, and how many have none.

    Raises:
        DataError: more than one manifest, or no cut has an alignment.
    """
    if len(manifests) != 1:
        raise DataError(
            "alignments of one manifest are exported", given=f"{len(manifests)}", mend="Give each its own --out."
        )
    every = [_aligned(cut) for cut in read_cuts(manifests[0])]
    found = [cut for cut in every if any(cut.tiers.values())]
    if not found:
        mend = "Align it first: `sprachbund tokens align`."
        raise DataError("no cut has an alignment", where=manifests[0], mend=mend)
    return found, len(every) - len(found)


def told(what: str, num_aligned: int, num_others: int) -> str:
    """What was written, in words."""
    return f"{what} of {num_aligned} cuts" + (f"; {num_others} cuts have no alignment" if num_others else "")


def _aligned(cut: Cut) -> AlignedCut:
    return AlignedCut(str(cut.id), float(cut.duration), {tier: items_of(cut, tier) for tier in TIERS})
