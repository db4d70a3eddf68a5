"""The phones of ARPAbet by how they are made."""

from sprachbund.errors import VocabularyError
from sprachbund.tokens.phones import PHONES, SILENCE

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
MANNERS = {
    "vowels": VOWELS,
    "stops, affricates": ("B", "CH", "D", "G", "JH", "K", "P", "T"),
    "fricatives": ("DH", "F", "HH", "S", "SH", "TH", "V", "Z", "ZH"),
    "nasals": ("M", "N", "NG"),
    "approximants": ("L", "R", "W", "Y"),
    "silence": (SILENCE,),
}
"""Phones by manner, each in one of them."""
CLASSES = ("vowels", "consonants", "silence")

_MANNER_OF = {phone: manner for manner, phones in MANNERS.items() for phone in phones}


def class_of(phone: str) -> str:
    """One of `CLASSES`.

    Raises:
        VocabularyError: it is no plain phone of ARPAbet.
    """
    if phone == SILENCE:
        return "silence"
    if phone not in PHONES:
        raise VocabularyError(
            "a symbol of an alignment is no phone of ARPAbet",
            given=phone,
            mend="Align with `sprachbund tokens align`, or rename the phones.",
        )
    return "vowels" if phone in VOWELS else "consonants"


def manner_of(phone: str) -> str:
    """The key of `MANNERS` that a plain phone stands under.

    Raises:
        VocabularyError: it is no plain phone of ARPAbet.
    """
    class_of(phone)
    return _MANNER_OF[phone]
