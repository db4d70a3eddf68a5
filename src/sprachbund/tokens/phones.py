"""The phones of English: ARPAbet without stress, silence and spoken noise, and the place of a phone in its word."""

import re
from collections.abc import Sequence
from functools import cache

from sprachbund.tokens.vocabulary import Vocabulary

# The 39 phones of the CMU dictionary.
PHONES = (
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
SILENCE = "SIL"
SPOKEN_NOISE = "SPN"  # sounds of a mouth that are no phone, and words that nobody could read
PLACES = ("_B", "_I", "_E", "_S")  # begin, inside and end of a word, and a word of a single phone

_SILENT = ("", "SIL", "SP", "SPN", "SILENCE", "<EPS>", "NSN", "H#", "PAU", "EPI", "<SIL>", "<UNK>")
_PLACE = re.compile(r"_[BIES]$")
_STRESS = re.compile(r"(?<=[A-Z])[0-2]$")


def plain_phone(symbol: str) -> str:
    """A phone as the aligner here calls it: capitals, no stress, no place in the word; every kind of silence is one."""
    plain = _STRESS.sub("", _PLACE.sub("", symbol.strip().upper()))
    return SILENCE if plain in _SILENT else plain


def with_places(phones: Sequence[str]) -> tuple[str, ...]:
    """The phones of one word, each with its place in the word as Kaldi marks it: ``_B _I _E``, or ``_S`` alone."""
    begin, inside, end, single = PLACES
    if len(phones) == 1:
        return (phones[0] + single,)
    last = len(phones) - 1
    return tuple(
        phone + (begin if number == 0 else end if number == last else inside) for number, phone in enumerate(phones)
    )


def phone_symbols(*, places: bool) -> tuple[str, ...]:
    """Silence, spoken noise, and the phones: 41 symbols, or 158 with word places, which the first two never have."""
    marks = PLACES if places else ("",)
    return (SILENCE, SPOKEN_NOISE, *(phone + mark for phone in PHONES for mark in marks))


@cache
def phone_vocabulary(*, places: bool) -> Vocabulary:
    """The symbols of `phone_symbols` behind the four special ones; the same ids everywhere."""
    return Vocabulary(phone_symbols(places=places))
