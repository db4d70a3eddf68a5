"""Phone error rates: phones that were decoded against those of an alignment, silence left out."""

from collections.abc import Iterable
from dataclasses import dataclass

from lhotse.cut import Cut

from sprachbund.data.phones import PHONE, is_aligned, items_of
from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import (
    ErrorCounts,
    ErrorRate,
    PairedDifference,
    count_word_errors,
    error_rate,
    paired_bootstrap,
)
from sprachbund.tokens.phones import SILENCE, plain_phone


@dataclass(frozen=True)
class PhoneErrors:
    """The phone errors of a set of cuts."""

    rate: ErrorRate
    substitutions: int
    insertions: int
    deletions: int
    cuts: tuple[str, ...]  # ids of those that are judged
    counts: tuple[ErrorCounts, ...]  # of each of them
    without_reference: int  # cuts that have no phones to be judged by
    without_decoding: int  # judged cuts for which no phone was decoded: all of theirs are missing


def phone_errors(references: Iterable[Cut], decoded: Iterable[Cut]) -> PhoneErrors:
    """Errors of phones without stress, places and silence, and a bootstrap interval over cuts.

    Args:
        references: aligned cuts.
        decoded: the same cuts with the phones to be judged; others are not looked at.

    Raises:
        DataError: a reference is not among `decoded`, or no cut has phones.
    """
    found = {cut.id: cut for cut in decoded}
    cuts, counts, without = list[str](), list[ErrorCounts](), 0
    for cut in references:
        if not is_aligned(cut):
            without += 1
            continue
        if cut.id not in found:
            mend = "Decode the manifest of the references."
            raise DataError("a cut was not decoded", where=f"cut {cut.id}", mend=mend)
        cuts.append(cut.id)
        counts.append(count_word_errors(_line(cut), _line(found[cut.id])))
    if not cuts:
        raise DataError("no cut has phones to judge by", mend="Align the manifest: `sprachbund tokens align`.")
    return PhoneErrors(
        error_rate(counts),
        substitutions=sum(count.substitutions for count in counts),
        insertions=sum(count.insertions for count in counts),
        deletions=sum(count.deletions for count in counts),
        cuts=tuple(cuts),
        counts=tuple(counts),
        without_reference=without,
        without_decoding=sum(not is_aligned(found[identity]) for identity in cuts),
    )


def difference(one: PhoneErrors, other: PhoneErrors) -> PairedDifference:
    """How much higher the rate of `one` is than that of `other`.

    Raises:
        DataError: they are not of the same cuts.
    """
    if one.cuts != other.cuts:
        mend = "Give both the same references."
        raise DataError("two decodings are not of the same cuts", mend=mend)
    lengths = [count.length for count in one.counts]
    return paired_bootstrap([count.errors for count in one.counts], [count.errors for count in other.counts], lengths)


def _line(cut: Cut) -> str:
    phones = (plain_phone(item.symbol) for item in items_of(cut, PHONE))
    return " ".join(phone for phone in phones if phone != SILENCE)
