"""Text as a recogniser learns it: lower case, letters, apostrophes and single spaces, numbers in words."""

import re
import unicodedata
from collections.abc import Mapping

from sprachbund.errors import DataError

_OUTER_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")
_MARKUP = re.compile(r"<[^<>]*>|\([^\W\d_]+\)|\^_")
_ORDINAL = re.compile(r"(?<!\d)(\d{1,9})(?:st|nd|rd|th)\b", re.IGNORECASE)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.])")
_WHOLE = re.compile(r"\d+")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")

# Longer runs of digits are identifiers, and are read digit by digit.
_LONGEST_NUMBER = 15
# A token of capitals that no table knows is taken for an acronym up to this length, for emphasis above it.
_LONGEST_ACRONYM = 4


def normalize_text(text: str) -> str:
    """The reference of speech recognition: lower-case letters, digits, apostrophes inside words, single spaces.

    In this order: lower case, with letters and their accents composed (NFC); typographic apostrophes become ASCII
    ones; ``&`` becomes "and"; every other character that is not a letter, a mark on one, a digit, apostrophe or space
    becomes a space; an apostrophe without a letter or digit on both sides is deleted; spaces collapse. Digits stay:
    `spell_numbers` comes before. The result may be empty.
    """
    composed = unicodedata.normalize("NFC", text.lower())
    lowered = composed.replace("\u2018", "'").replace("\u2019", "'").replace("&", " and ")
    kept = "".join([c if _is_kept(c) else " " for c in lowered])
    # Once more, as an apostrophe may have stood between a letter and its mark.
    return unicodedata.normalize("NFC", " ".join(_OUTER_APOSTROPHE.sub("", kept).split()))


def _is_kept(character: str) -> bool:
    # Marks are vowels in the scripts of India and many others.
    return (
        character.isalpha()
        or character.isdecimal()
        or character == "'"
        or unicodedata.category(character) in ("Mn", "Mc")
    )


def remove_non_speech_marks(text: str) -> str:
    """Delete what is written but not said: ``<...>``, one word in parentheses such as ``(sigh)``, and ``^_``."""
    return " ".join(_MARKUP.sub(" ", text).split()) if _MARKUP.search(text) else text


def fold_to_ascii(text: str) -> str:
    """Letters without their accents (é becomes e); characters that have no ASCII base stay as they are."""
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def spell_numbers(text: str, language: str = "en") -> str:
    """Write the numbers of `text` in words: cardinals, and in English also ordinals, decimals, thousands and years.

    Args:
        text: any text; without digits it is returned as it is.
        language: an ISO 639-1 code that the number speller knows.

    Raises:
        DataError: `text` holds digits and the package ``num2words`` is missing or does not know `language`.
    """
    if not any(character.isdecimal() for character in text):
        return text
    if language == "en":
        text = _GROUPED.sub(lambda match: _set_apart(match, _spell(match[0].replace(",", ""), language)), text)
        text = _ORDINAL.sub(lambda match: _set_apart(match, _spell(match[1], language, "ordinal")), text)
        text = _DECIMAL.sub(
            lambda match: _set_apart(match, f"{_spell(match[1], language)} point {_spell_digits(match[2], language)}"),
            text,
        )
    return _WHOLE.sub(lambda match: _set_apart(match, _spell_whole(match[0], language)), text)


def _set_apart(match: re.Match[str], words: str) -> str:
    """Words in the place of a number, with spaces where it touched letters."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return (" " if before.isalnum() else "") + words + (" " if after.isalnum() else "")


def _spell_whole(digits: str, language: str) -> str:
    if len(digits) > _LONGEST_NUMBER or (digits.startswith("0") and len(digits) > 1):
        return _spell_digits(digits, language)
    is_year = language == "en" and 1100 <= int(digits) <= 1999
    return _spell(digits, language, "year" if is_year else "cardinal")


def _spell_digits(digits: str, language: str) -> str:
    return " ".join(_spell(digit, language) for digit in digits)


def _spell(digits: str, language: str, form: str = "cardinal") -> str:
    try:
        from num2words import num2words
    except ImportError:
        raise DataError(
            "numbers cannot be written in words, because the package num2words is missing",
            given=digits,
            mend="Install it with: pip install 'sprachbund[corpora]'",
        ) from None
    try:
        spelled: str = num2words(int(digits), lang=language, to=form)
    except NotImplementedError:
        raise DataError(
            "the number speller does not know this language",
            given=language,
            mend="Use an ISO 639-1 code such as en, de or fr, or write the numbers in words beforehand.",
        ) from None
    return spelled.replace("-", " ").replace(",", "")


def natural_case(text: str, forms: Mapping[str, str]) -> str:
    """Replace tokens of capitals, which mark emphasis, by the form that the language uses otherwise.

    Args:
        text: a line in which words of two letters or more may stand in capitals.
        forms: token in capitals -> natural form. A token it lacks stays as it is up to 4 letters (an acronym), and
            becomes lower case above that.

    Returns:
        The line with natural case; its first letter is a capital if it was one before.
    """
    cased = _WORD.sub(lambda match: _natural_word(match[0], forms), text)
    first = next((position for position, character in enumerate(text) if character.isalpha()), None)
    if first is None or not text[first].isupper():
        return cased
    start = next(position for position, character in enumerate(cased) if character.isalpha())
    return cased[:start] + cased[start].upper() + cased[start + 1 :]


def _natural_word(word: str, forms: Mapping[str, str]) -> str:
    if word in forms:
        return forms[word]
    # Elided articles (l', dell') are tokens of their own where the table does not hold the whole word.
    return _LETTERS.sub(lambda match: _natural_token(match[0], forms), word)


def _natural_token(token: str, forms: Mapping[str, str]) -> str:
    if len(token) < 2 or not token.isupper():
        return token
    return forms.get(token, token if len(token) <= _LONGEST_ACRONYM else token.lower())
