"""How far the phone boundaries of an alignment are from the true ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet
from lhotse.supervision import AlignmentItem

from sprachbund.data.phones import PHONE, items_of
from sprachbund.errors import DataError
from sprachbund.tokens.phones import SILENCE, plain_phone


@dataclass(frozen=True)
class BoundaryErrors:
    """Distances between found and true boundaries of matched phones."""

    median_ms: float
    mean_ms: float
    within_20: float  # share of boundaries that are at most 20 ms off
    within_40: float
    bias_ms: float  # mean of found minus true: positive where boundaries are found late
    boundaries: int
    matched_phones: int
    true_phones: int  # silence left out
    unaligned: int  # cuts without a phone found


def boundary_errors(true_cuts: CutSet, found_cuts: CutSet) -> BoundaryErrors:
    """Compare the phones of cuts with the same ids; stress and places in words do not count.

    Synthesiser and dictionary say some words in different ways. So phones are matched first, by the fewest edits, and
    only beginnings and ends of equal phones are compared; one between two matched neighbours counts once.

    Raises:
        DataError: no phone is matched.
    """
    found = {cut.id: _phones(items_of(cut, PHONE)) for cut in found_cuts}
    distances: list[float] = []
    num_true = num_matched = num_unaligned = 0
    for cut in true_cuts:
        true, here = _phones(items_of(cut, PHONE)), found.get(cut.id, [])
        pairs = _matched(true, here) if true and here else []
        edges = {edge for one, other in pairs for edge in ((one.start, other.start), (one.end, other.end))}
        distances += [other - one for one, other in sorted(edges)]
        num_true += len(true)
        num_matched += len(pairs)
        num_unaligned += not here
    if not distances:
        mend = "Compare an alignment with the true phones of the same cuts."
        raise DataError(
            "no phone of the alignment is one of the true phones", given=f"{num_true} true phones", mend=mend
        )
    apart = 1000 * np.abs(distances)
    return BoundaryErrors(
        median_ms=float(np.median(apart)),
        mean_ms=float(apart.mean()),
        within_20=float((apart <= 20 + 1e-6).mean()),
        within_40=float((apart <= 40 + 1e-6).mean()),
        bias_ms=float(1000 * np.mean(distances)),
        boundaries=len(distances),
        matched_phones=num_matched,
        true_phones=num_true,
        unaligned=num_unaligned,
    )


def _phones(items: Sequence[AlignmentItem]) -> list[AlignmentItem]:
    """What is no silence, by its plain name; ends rounded, as sums of times are."""
    plain = (item._replace(symbol=plain_phone(item.symbol)) for item in items)
    return [item for item in plain if item.symbol != SILENCE]


def _matched(
    true: Sequence[AlignmentItem], found: Sequence[AlignmentItem]
) -> list[tuple[AlignmentItem, AlignmentItem]]:
    import jiwer

    wanted, heard = (" ".join(item.symbol for item in items) for items in (true, found))
    output = jiwer.process_words(wanted, heard)
    return [
        pair
        for chunk in output.alignments[0]
        if chunk.type == "equal"
        for pair in zip(
            true[chunk.ref_start_idx : chunk.ref_end_idx], found[chunk.hyp_start_idx : chunk.hyp_end_idx], strict=True
        )
    ]
