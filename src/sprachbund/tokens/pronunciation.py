"""How words are said: by a lexicon, by the known word inside them, or by a guess from their letters."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sprachbund.tokens.lexicon import Lexicon, Phones
from sprachbund.tokens.normalize import fold_to_ascii

Guess = Callable[[Sequence[str]], list[Phones]]

LETTERS = "'abcdefghijklmnopqrstuvwxyz"
POSSESSIVE = "'s"
_SHORTEST_SINGULAR = 3  # letters: "ins" may be a plural, "is" is none
_MOST_REMEMBERED = 1 << 18  # guesses


class Source(StrEnum):
    """Where the phones of a word come from."""

    LEXICON = "lexicon"
    GUESSED = "guessed"
    NONE = "none"  # no letter of the Latin alphabet, or a guess without phones


@dataclass(frozen=True)
class Pronunciation:
    """How a word is said, the most usual way first; no way at all where the source is none."""

    phones: tuple[Phones, ...]
    source: Source


@runtime_checkable
class FingerprintedGuess(Protocol):
    """A guess that says what it is, so that what was made with it can be told from other work."""

    @property
    def fingerprint(self) -> str:
        """Of the weights or rules; guesses of one fingerprint are the same."""
        ...

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        """The phones of each word."""
        ...


class Pronouncer:
    """Pronunciations of words as `normalize_text` leaves them.

    A word that the lexicon lacks is looked up without its accents; then as a known word with 's or with the s of the
    plural; what is left is guessed, 's apart, all such words at once.

    Args:
        lexicon: of known words.
        guess: phones for words of Latin letters, in their order.
    """

    def __init__(self, lexicon: Lexicon, guess: Guess) -> None:
        self.lexicon = lexicon
        self._guess = guess
        self._guessed: dict[str, Phones] = {}

    def pronounce(self, words: Iterable[str]) -> dict[str, Pronunciation]:
        """The pronunciation of every one of `words`; it depends on the word alone."""
        wanted = list(dict.fromkeys(words))
        found = {word: self._known(word) for word in wanted}
        self._learn({_stem(word) for word in wanted if not found[word]})
        return {
            word: Pronunciation(known, Source.LEXICON) if known else self._guessed_pronunciation(word)
            for word, known in found.items()
        }

    def _known(self, word: str) -> tuple[Phones, ...]:
        folded = fold_to_ascii(word)
        if found := self.lexicon.of(word) or self.lexicon.of(folded):
            return found
        if folded.endswith(POSSESSIVE):
            return _with_s(self.lexicon.of(folded.removesuffix(POSSESSIVE)))
        singular = folded.removesuffix("s")
        if singular == folded or singular.endswith("s") or len(singular) < _SHORTEST_SINGULAR:
            return ()
        return _with_s(self.lexicon.of(singular))

    def _learn(self, stems: Iterable[str]) -> None:
        """Guess the stems that were not guessed before."""
        if len(self._guessed) > _MOST_REMEMBERED:
            self._guessed.clear()
        new = sorted(stem for stem in stems if stem not in self._guessed)
        readable = [stem for stem in new if letters_of(stem).strip("'")]
        self._guessed |= dict.fromkeys(new, ())
        if readable:
            self._guessed |= dict(zip(readable, self._guess(readable), strict=True))

    def _guessed_pronunciation(self, word: str) -> Pronunciation:
        stem = _stem(word)
        phones = self._guessed[stem]
        if not phones:
            return Pronunciation((), Source.NONE)
        ending = ending_of(phones[-1]) if stem != word else ()
        return Pronunciation(((*phones, *ending),), Source.GUESSED)


def ending_of(phone: str) -> Phones:
    """The sound of 's and of the plural after `phone`."""
    if phone in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return ("IH", "Z")
    return ("S",) if phone in ("P", "T", "K", "F", "TH") else ("Z",)


def letters_of(word: str) -> str:
    """What a model reads of `word`: a-z and apostrophes; accents are taken off, all else is left out."""
    return "".join(character for character in fold_to_ascii(word.casefold()) if character in LETTERS)


def _stem(word: str) -> str:
    return word.removesuffix(POSSESSIVE)


def _with_s(pronunciations: tuple[Phones, ...]) -> tuple[Phones, ...]:
    return tuple((*phones, *ending_of(phones[-1])) for phones in pronunciations)
