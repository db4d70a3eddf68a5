"""Phones of alignments stored as the units of cuts, so that trainers take them like units of clusters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.phones import FINGERPRINT, PHONE, is_aligned, items_of, symbols_of_labels
from sprachbund.data.storage.waveforms import count_samples, require_own_recording
from sprachbund.data.units import fewest_labels, key_of, store_of, store_units, with_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.shapes import Array, Int
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.phone_labels import PhoneLabels

# Seconds at the end of a sound that an aligner may leave out, as no whole window fits there: the last phone takes them.
END = 0.05 + 1e-6


class WithoutPhones(StrEnum):
    """What becomes of a cut without any phone."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"
    NOISE = "noise"  # all of it is spoken noise


@dataclass(frozen=True)
class Labelled:
    """Cuts with phones as their units."""

    cuts: CutSet
    left_out: tuple[str, ...]  # ids
    num_labels: int
    num_noise: int  # labels without a phone


def aligner_of(cuts: Iterable[Cut]) -> str:
    """The fingerprint of the one aligner of all phones of `cuts`; empty where their makers left none.

    Raises:
        VocabularyError: there are several aligners.
        DataError: no cut has phones.
    """
    found = {name: cut.id for cut in cuts for name in _aligners(cut)}
    if len(found) > 1:
        given = ", ".join(f"{name[:16] or 'none'} in {cut_id}" for name, cut_id in sorted(found.items()))
        mend = "Align all of them anew with one aligner."
        raise VocabularyError("the phones are of several aligners", given=given, mend=mend)
    if not found:
        mend = "Align the manifest first: `sprachbund tokens align`."
        raise DataError("no cut has phones", mend=mend)
    return next(iter(found))


def label_phones(cuts: CutSet, labels: PhoneLabels, folder: Path, without: WithoutPhones) -> Labelled:
    """The same cuts with ids of `labels` as their units, stored below `folder`.

    A label has the phone of its middle. What has none is spoken noise, but for the very end of a sound, where windows
    of aligners end before it.

    Args:
        cuts: aligned.
        labels: of the aligner of `cuts`.
        folder: of the stored arrays, which get a folder of their own for each fingerprint.
        without: what becomes of cuts without any phone.

    Raises:
        VocabularyError: phones of another aligner, or symbols that are none of `labels`.
        DataError: a cut without phones that is to be refused, or a mixed or padded one.
    """
    store = store_of(folder, labels)
    done, left_out, num_labels, num_noise = [], [], 0, 0
    for cut in cuts:
        _require_aligner(cut, labels)
        if not is_aligned(cut) and without is WithoutPhones.REFUSE:
            mend = "Leave such cuts out, or let them be noise: --without-phones."
            raise DataError("a cut has no phones", where=f"cut {cut.id}", mend=mend)
        if not is_aligned(cut) and without is WithoutPhones.LEAVE_OUT:
            left_out.append(str(cut.id))
            continue
        symbols = _symbols(cut, labels)
        ids = _ids(cut, symbols, labels)
        store_units(store / key_of(cut), ids, labels.num_units)
        done.append(with_units(cut, labels, store, len(ids)))
        num_labels += len(ids)
        num_noise += sum(symbol is None for symbol in symbols)
    return Labelled(CutSet.from_cuts(done), tuple(left_out), num_labels, num_noise)


def _symbols(cut: Cut, labels: PhoneLabels) -> list[str | None]:
    num_samples = count_samples(cut)
    count = max(fewest_labels(num_samples, labels.label_rate), num_samples * labels.rate // SAMPLING_RATE)
    symbols = symbols_of_labels(cut, count, labels.frame_shift)
    items = items_of(cut, PHONE)
    if items and cut.duration - items[-1].end <= END:
        num_bare = next((number for number, symbol in enumerate(reversed(symbols)) if symbol is not None), len(symbols))
        symbols[len(symbols) - num_bare :] = [items[-1].symbol] * num_bare
    return symbols


def _ids(cut: Cut, symbols: list[str | None], labels: PhoneLabels) -> Int[Array, " label"]:
    try:
        return np.array([labels.id_of(symbol) for symbol in symbols], dtype=np.int64)
    except VocabularyError as error:
        raise VocabularyError(error.what, where=f"cut {cut.id}", given=error.given, mend=error.mend) from None


def _require_aligner(cut: Cut, labels: PhoneLabels) -> None:
    require_own_recording(cut, "phones could travel with")
    for name in _aligners(cut):
        if name != labels.aligner:
            raise VocabularyError(
                "the phones of a cut come from another aligner",
                where=f"cut {cut.id}",
                given=f"fingerprint {name[:16] or 'none'}, expected {labels.aligner[:16] or 'none'}",
                mend="Align all speech of a training with one aligner, or make labels of their own for this one.",
            )


def _aligners(cut: Cut) -> Iterator[str]:
    """The fingerprint of each supervision with phones."""
    for said in cut.supervisions:
        if (said.alignment or {}).get(PHONE):
            yield str((said.custom or {}).get(FINGERPRINT, ""))
