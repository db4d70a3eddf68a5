"""Phones and units of the same speech, side by side: what text-to-unit models learn from.

The phones of an aligned clip are laid over its units: each phone lasts a number of units, and together they last all of
them. What lies between the phones of the alignment is silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.phone_labels import aligner_of
from sprachbund.data.phones import PHONE, is_aligned, items_of
from sprachbund.data.subset import chosen_cuts
from sprachbund.data.units import load_units, require_units
from sprachbund.errors import DataError, VocabularyError
from sprachbund.shapes import Array, Int
from sprachbund.tokens.phones import PLACES, SILENCE, phone_symbols, plain_phone

_HAIR = 1e-6  # seconds: the middles of labels of 20 ms lie on boundaries of 10 ms and belong to what follows


@dataclass(frozen=True)
class PairedExample:
    """The phones of a clip, how long each is, and its units."""

    id: str
    phones: tuple[str, ...]
    durations: Int[Array, " phone"]  # units of each phone, 0 for one too short to hold the middle of any
    units: Int[Array, " unit"]  # counted from 0; as many as the durations add up to


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """How clips become examples.

    Args:
        fingerprint: of the unit model whose units the clips carry.
        frame_shift: seconds between two of these units.
        keep_every: 2 keeps every second unit, 50 a second becoming 25.
        word_places: keep the place of each phone in its word, which the alignment must have.
    """

    fingerprint: str
    frame_shift: float
    keep_every: int = 1
    word_places: bool = False

    def facts(self) -> dict[str, Any]:
        """What a model that learns from such examples notes of them."""
        return {
            "unit_model": self.fingerprint,
            "unit_rate": round(1 / self.frame_shift, 6),
            "keep_every": self.keep_every,
            "word_positions": self.word_places,
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Pairing":
        """How the clips were paired that a model has learned from."""
        return cls(
            fingerprint=facts["unit_model"],
            frame_shift=1 / facts["unit_rate"],
            keep_every=facts["keep_every"],
            word_places=facts["word_positions"],
        )

    def __call__(self, cut: Cut) -> PairedExample:
        """The example of one clip.

        Raises:
            VocabularyError: units of another unit model, a phone that is none, or one without its place in the word.
            DataError: the stored units are damaged.
        """
        units = load_units(cut, self.fingerprint)[:: self.keep_every].astype(np.int64)
        middles = (np.arange(len(units)) * self.keep_every + 0.5) * self.frame_shift + _HAIR
        phones: list[str] = []
        ends: list[float] = []
        heard = 0.0
        for item in items_of(cut, PHONE):
            symbol = _symbol(cut, item.symbol, self.word_places)
            if item.start > heard + _HAIR:
                _extend(phones, ends, SILENCE, item.start)
            # Of two phones at one time the first keeps its part.
            heard = max(heard, item.end)
            _extend(phones, ends, symbol, heard)
        _extend(phones, ends, SILENCE, float("inf"))
        labels = np.searchsorted(middles, np.array(ends), side="left")
        durations = np.diff(labels, prepend=0)
        if durations[-1] == 0 and len(phones) > 1:  # nothing follows the last phone
            phones, durations = phones[:-1], durations[:-1]
        return PairedExample(cut.id, tuple(phones), durations.astype(np.int64), units)


@dataclass(frozen=True)
class PairedCuts:
    """Clips that can be examples, and how many cannot."""

    cuts: tuple[Cut, ...]
    num_unaligned: int
    aligner: str  # fingerprint of what aligned them; empty where it left none


def paired_cuts(cuts: CutSet, fingerprint: str, *, max_minutes: float | None = None) -> PairedCuts:
    """The aligned clips, all of one unit model and one aligner.

    Args:
        cuts: labelled and aligned.
        fingerprint: of the unit model.
        max_minutes: take no more speech than this, chosen by a hash of the ids, whatever else is in the manifests.

    Raises:
        VocabularyError: a clip has no units, or those of another unit model; or the clips are of several aligners.
        DataError: no clip is aligned.
    """
    everything = list(cuts)
    for cut in everything:
        require_units(cut, fingerprint)
    aligned = [cut for cut in everything if is_aligned(cut)]
    if not aligned:
        raise DataError(
            "no clip is aligned", given=f"{len(everything)} clips", mend="Align them with `sprachbund tokens align`."
        )
    return PairedCuts(
        tuple(aligned if max_minutes is None else chosen_cuts(aligned, max_minutes)),
        len(everything) - len(aligned),
        aligner_of(aligned),
    )


def _extend(phones: list[str], ends: list[float], symbol: str, end: float) -> None:
    """Add a phone that lasts until `end`; silence goes on in silence."""
    if symbol == SILENCE and phones and phones[-1] == SILENCE:
        ends[-1] = end
        return
    phones.append(symbol)
    ends.append(end)


def _symbol(cut: Cut, written: str, word_places: bool) -> str:
    phone = plain_phone(written)
    symbol = phone + written.strip().upper()[-2:] if word_places and phone != SILENCE else phone
    if symbol in _KNOWN[word_places]:
        return symbol
    if phone in _KNOWN[False]:
        raise VocabularyError(
            "a phone of an alignment has no place in its word",
            where=f"cut {cut.id}",
            given=written,
            mend=f"Align with --word-positions ({' '.join(PLACES)}), or set paired.word_positions to false.",
        )
    raise VocabularyError(
        "a symbol of an alignment is no phone of ARPAbet",
        where=f"cut {cut.id}",
        given=written,
        mend="Align with `sprachbund tokens align`, or rename the phones.",
    )


_KNOWN = {places: frozenset(phone_symbols(places=places)) for places in (False, True)}
