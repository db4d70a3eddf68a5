"""How lines of English become the phones of their words: by a lexicon, and by a guess where it lacks a word."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sprachbund.data.aligning.words import ENGLISH
from sprachbund.data.text.blocks import Rejected
from sprachbund.data.text.fields import Field, IdsField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import Value
from sprachbund.tokens.lexicon import Phones, load_lexicon
from sprachbund.tokens.normalize import normalize_text, spell_numbers
from sprachbund.tokens.phones import SPOKEN_NOISE, phone_vocabulary, with_places
from sprachbund.tokens.pronunciation import FingerprintedGuess, Pronouncer, Pronunciation, Source
from sprachbund.tokens.vocabulary import Vocabulary

NO_WORD = "without a word"
NO_KNOWN_WORD = "without a word of the lexicon"
FEW_KNOWN_WORDS = "with more words that the lexicon lacks than words that it has"
PHONES_FIELD, TEXT_FIELD = "phones", "text"
MOST_UNKNOWN = 0.2  # share of words, of English text; it is 1 to 4 % in ours, and 38 to 63 % in eight other languages
_SAMPLE = 1000  # lines
_PIECE = 1 << 20  # ids looked at together

Read = Callable[[Sequence[str]], list[list[Phones] | Rejected]]
"""Lines -> the phones of the words of each, or why there are none."""


@runtime_checkable
class Reading(Protocol):
    """A way to read: a frozen dataclass of small values, which is sent to the processes."""

    def field(self) -> Field:
        """What holds the phones in a line store."""
        ...

    def value(self, phones: Sequence[str]) -> Value:
        """Phones as the field takes them."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """All that decides what is read, in plain values."""
        ...

    def understands(self, language: str) -> bool:
        """Whether text that calls itself of `language` may be read this way."""
        ...

    def start(self) -> Read:
        """Load what is needed; called once in each process."""
        ...

    def finish(self, store: LineStore) -> list[str]:
        """What is left to do and to tell when all lines are in a store."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class LexiconReading:
    """English by a lexicon; the first pronunciation of each word is taken.

    Numbers are spelled, text is normalised. A word that nobody can read (no letter of the Latin alphabet) becomes
    spoken noise; a line without a single word of the lexicon, or with more unknown words than known ones, is rejected,
    as it is likely in another language.
    """

    lexicon: str  # as `load_lexicon` takes it
    guess: FingerprintedGuess
    word_places: bool = False

    @property
    def vocabulary(self) -> Vocabulary:
        """The symbols of the phones."""
        return phone_vocabulary(places=self.word_places)

    def field(self) -> Field:
        """See `Reading.field`."""
        return IdsField.of_symbols(self.vocabulary)

    def value(self, phones: Sequence[str]) -> Value:
        """See `Reading.value`."""
        return self.vocabulary.ids_of(phones)

    def settings(self) -> Mapping[str, Any]:
        """See `Reading.settings`."""
        return {
            "lexicon": load_lexicon(self.lexicon).fingerprint,
            "guess": self.guess.fingerprint,
            "word_places": self.word_places,
        }

    def understands(self, language: str) -> bool:
        """See `Reading.understands`."""
        return language.partition("-")[0].lower() in ENGLISH

    def start(self) -> Read:
        """See `Reading.start`."""
        return partial(_read, Pronouncer(load_lexicon(self.lexicon), self.guess), self.word_places)

    def finish(self, store: LineStore) -> list[str]:
        """See `Reading.finish`: count spoken noise, and look at some lines for words that the lexicon lacks."""
        noisy = _lines_with(store, self.vocabulary.id_of(SPOKEN_NOISE))
        told = [f"{noisy} lines hold words that nobody can read, as {SPOKEN_NOISE}"] if noisy else []
        numbers = range(0, len(store), -(-len(store) // _SAMPLE))
        words = [word for number in numbers for word in _words(store.text(TEXT_FIELD, number))]
        said = Pronouncer(load_lexicon(self.lexicon), lambda asked: [()] * len(asked)).pronounce(words)
        share = sum(said[word].source is not Source.LEXICON for word in words) / max(1, len(words))
        doubt = ": is the text English?" if share > MOST_UNKNOWN else ""
        return [*told, f"{share:.1%} of the words of {len(numbers)} lines are in no lexicon and are guessed{doubt}"]


def _read(pronouncer: Pronouncer, word_places: bool, texts: Sequence[str]) -> list[list[Phones] | Rejected]:
    lines = [_words(text) for text in texts]
    # All lines at once: guesses are cheaper together.
    said = pronouncer.pronounce(word for words in lines for word in words)
    return [_phones_of(words, said, word_places) for words in lines]


def _words(text: str) -> list[str]:
    return normalize_text(spell_numbers(text)).split()


def _phones_of(words: Sequence[str], said: Mapping[str, Pronunciation], word_places: bool) -> list[Phones] | Rejected:
    if not words:
        return Rejected(NO_WORD)
    known = sum(said[word].source is Source.LEXICON for word in words)
    if not known:
        return Rejected(NO_KNOWN_WORD)
    if 2 * known < len(words):
        return Rejected(FEW_KNOWN_WORDS, f"{known} of {len(words)}")
    return [_word(said[word], word_places) for word in words]


def _word(said: Pronunciation, word_places: bool) -> Phones:
    if not said.phones:
        return (SPOKEN_NOISE,)
    return with_places(said.phones[0]) if word_places else said.phones[0]


def _lines_with(store: LineStore, token: int) -> int:
    """How many lines hold an id."""
    items, ends = store.items(PHONES_FIELD), np.cumsum(store.lengths(PHONES_FIELD))
    count, last = 0, -1
    for start in range(0, len(items), _PIECE):
        places = start + np.flatnonzero(items[start : start + _PIECE] == token)
        lines = np.unique(np.searchsorted(ends, places, side="right"))
        count += int((lines != last).sum())  # a line may go on in the next piece
        last = int(lines[-1]) if len(lines) else last
    return count
