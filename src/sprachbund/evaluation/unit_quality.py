"""How much units tell about phones, label by label (HuBERT, section IV-F: phone purity, cluster purity, PNMI)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet

from sprachbund.data.phones import phones_of_labels
from sprachbund.data.progress import watched
from sprachbund.data.units import load_units
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float
from sprachbund.tokens.phone_labels import UnitLabels
from sprachbund.tokens.phones import SILENCE

Counts = Counter[tuple[str | None, int]]  # labels with this phone (None: without any) and this unit


@dataclass(frozen=True)
class PhoneFigures:
    """What units tell about phones."""

    labels: int  # that are counted
    phone_purity: float  # share of labels whose phone is the most frequent one of their unit
    cluster_purity: float  # share of labels whose unit is the most frequent one of their phone
    phone_normalised_mutual_information: float  # I(phone; unit) / H(phone)
    phone_entropy: float  # bits


@dataclass(frozen=True)
class UnitQuality:
    """Figures of the units of a labelled manifest."""

    cuts: int
    labels: int
    num_units: int  # of the unit model
    dead_units: int  # units that no label has
    unit_entropy: float  # bits; log2(num_units) where all are equally frequent
    unaligned_share: float  # of labels without a phone
    silence_share: float  # of labels with a phone
    with_silence: PhoneFigures  # silence is one phone more
    without_silence: PhoneFigures


def unit_quality(cuts: CutSet, model: UnitLabels) -> UnitQuality:
    """Figures of labelled and aligned cuts.

    Args:
        cuts: with units of `model`; labels of a cut without an alignment count as labels without a phone.
        model: the unit model.

    Raises:
        VocabularyError: a cut has no units, or those of another unit model.
        DataError: no label has a phone, stored units cannot be read, or do not belong to the model.
    """
    counts: Counts = Counter()
    number = 0
    for cut in watched(cuts, "Comparing"):
        units = load_units(cut, model.fingerprint)
        if len(units) and not 0 <= int(units.min()) <= int(units.max()) < model.num_units:
            given = f"units {units.min()} to {units.max()}, the model has {model.num_units}"
            raise DataError("stored units are none of the unit model", where=f"cut {cut.id}", given=given)
        counts.update(zip(phones_of_labels(cut, len(units), model.frame_shift), units.tolist(), strict=True))
        number += 1
    return quality_of(counts, model.num_units, number)


def quality_of(counts: Counts, num_units: int, num_cuts: int) -> UnitQuality:
    """Figures of labels that are counted already.

    Raises:
        DataError: no label has a phone.
    """
    aligned = {pair: count for pair, count in counts.items() if pair[0] is not None}
    if not aligned:
        raise DataError(
            "no label has a phone",
            given=f"{num_cuts} cuts",
            mend="Align the manifest first: `sprachbund tokens align`, then label what it writes.",
        )
    units: Counter[int] = Counter()
    for (_, unit), count in counts.items():
        units[unit] += count
    spoken = {pair: count for pair, count in aligned.items() if pair[0] != SILENCE}
    num_labels, num_aligned = counts.total(), sum(aligned.values())
    return UnitQuality(
        cuts=num_cuts,
        labels=num_labels,
        num_units=num_units,
        dead_units=num_units - len(units),
        unit_entropy=_entropy(np.array(list(units.values())) / num_labels),
        unaligned_share=1 - num_aligned / num_labels,
        silence_share=1 - sum(spoken.values()) / num_aligned,
        with_silence=_figures(_table(aligned)),
        without_silence=_figures(_table(spoken)),
    )


def _table(counts: dict[tuple[str | None, int], int]) -> Float[Array, "phone unit"]:
    """Labels of each phone and unit that occur."""
    phones = {phone: row for row, phone in enumerate(sorted({str(phone) for phone, _ in counts}))}
    units = {unit: column for column, unit in enumerate(sorted({unit for _, unit in counts}))}
    table = np.zeros((len(phones), len(units)))
    for (phone, unit), count in counts.items():
        table[phones[str(phone)], units[unit]] = count
    return table


def _figures(table: Float[Array, "phone unit"]) -> PhoneFigures:
    total = table.sum()
    if not total:
        return PhoneFigures(0, 0.0, 0.0, 0.0, 0.0)
    # Counts are added before they are divided, so that one phone alone has an entropy of exactly 0.
    phone_entropy, unit_entropy = (_entropy(table.sum(axis=axis) / total) for axis in (1, 0))
    information = phone_entropy + unit_entropy - _entropy(table.ravel() / total)
    return PhoneFigures(
        labels=int(total),
        phone_purity=float(table.max(axis=0).sum() / total),
        cluster_purity=float(table.max(axis=1).sum() / total),
        # One phone alone leaves nothing to be told.
        phone_normalised_mutual_information=float(information / phone_entropy) if phone_entropy > 0 else 0.0,
        phone_entropy=phone_entropy,
    )


def _entropy(shares: Float[Array, " value"]) -> float:
    """In bits."""
    present = shares[shares > 0]
    return max(0.0, float(-(present * np.log2(present)).sum()))
