"""Which phone follows which, and how long each sounds, counted on aligned speech."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from lhotse.cut import Cut

from sprachbund.data.phones import PHONE, is_aligned, items_of
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float
from sprachbund.tokens.phones import PLACES, SILENCE, plain_phone

DISCOUNT = 0.5  # taken off every pair that was seen, for those that were not


@dataclass(frozen=True, eq=False)
class Phonotactics:
    """Natural logarithms of probabilities; the places are those of the symbols that were counted."""

    share: Float[Array, " symbol"]  # of the time
    first: Float[Array, " symbol"]  # of an utterance's first phone
    following: Float[Array, "symbol next"]  # of the phone after each phone
    last: Float[Array, " symbol"]  # of the end after each phone

    @classmethod
    def of(cls, cuts: Iterable[Cut], symbols: Sequence[str]) -> "Phonotactics":
        """Counted on the phone tiers of `cuts`.

        Pairs are smoothed by absolute discounting (Ney et al., 1994): what is taken off goes to all phones by how
        often each one follows anything. Equal neighbours count as one phone, as a path of frames cannot part them.

        Args:
            cuts: those without phones count nothing.
            symbols: phones and silence; without word places, the tiers may have some.

        Raises:
            DataError: no cut has phones, or one has a phone that is none of the symbols.
        """
        has_places = any(symbol.endswith(PLACES) for symbol in symbols)
        places = {symbol: place for place, symbol in enumerate(symbols)}
        edge = len(symbols)  # before the first phone and after the last one
        seconds, pairs = np.zeros(edge), np.zeros((edge + 1, edge + 1))
        for cut in cuts:
            if not is_aligned(cut):
                continue
            line = [edge]
            for item in items_of(cut, PHONE):
                place = _place(item.symbol, places, has_places, cut.id)
                seconds[place] += item.duration
                if place != line[-1]:
                    line.append(place)
            for one, two in pairwise([*line, edge]):
                pairs[one, two] += 1
        if not seconds.any():
            raise DataError("no cut has phones to count", mend="Align the manifest first: `sprachbund tokens align`.")
        smooth = _smoothed(pairs)
        # A second at least: dividing by less would make likely what was hardly ever heard.
        floored = np.maximum(seconds, 1.0)
        return cls(np.log(floored / floored.sum()), smooth[edge, :edge], smooth[:edge, :edge], smooth[:edge, edge])


def _place(symbol: str, places: dict[str, int], has_places: bool, cut_id: str) -> int:
    plain = plain_phone(symbol)
    named = symbol if has_places and plain != SILENCE else plain
    if named not in places:
        raise DataError(
            "a phone is none of the model's",
            where=f"cut {cut_id}",
            given=symbol,
            mend="Give alignments with the same phones as those that the model was trained on.",
        )
    return places[named]


def _smoothed(pairs: Float[Array, "symbol next"]) -> Float[Array, "symbol next"]:
    """Natural logarithms of the probability of each symbol after each; an edge never follows an edge."""
    general = pairs.sum(axis=0) + DISCOUNT
    given = pairs.sum(axis=1, keepdims=True)
    seen = (pairs > 0).sum(axis=1, keepdims=True)
    left = np.where(given > 0, DISCOUNT * seen / np.maximum(given, 1), 1.0)
    shares = np.maximum(pairs - DISCOUNT, 0) / np.maximum(given, 1) + left * general / general.sum()
    logarithms: Float[Array, "symbol next"] = np.log(shares)
    return logarithms
