"""The words of a transcript as an aligner takes them."""

from lhotse import SupervisionSegment

from sprachbund.data.aligning.results import Outcome
from sprachbund.tokens.normalize import normalize_text, spell_numbers

ENGLISH = ("en", "eng", "english")


def spoken_words(said: SupervisionSegment) -> list[str] | Outcome:
    """The words of a transcript, normalised and with numbers in words; else why there are none.

    Raises:
        DataError: there are numbers, and the package that spells them is missing.
    """
    if said.language and said.language.partition("-")[0].lower() not in ENGLISH:
        return Outcome.NOT_ENGLISH
    words = normalize_text(spell_numbers(said.text or "")).split()
    return words or Outcome.NO_TRANSCRIPT
