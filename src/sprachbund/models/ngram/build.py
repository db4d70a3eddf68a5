"""An n-gram model from sources of text."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from sprachbund.data.text.lines import TextSource, each_line
from sprachbund.errors import DataError, RecipeError
from sprachbund.models.ngram.counts import Counts, NgramCounter
from sprachbund.models.ngram.kneser_ney import Discounts, kneser_ney
from sprachbund.models.ngram.model import SPECIAL_WORDS, UNKNOWN, Level, NgramModel, assemble
from sprachbund.tokens.normalize import normalize_text, spell_numbers
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, SPECIAL_SYMBOLS, UNK

LONGEST = 10  # words of an n-gram
_NORMAL = re.compile("[a-z]+(?: [a-z]+)*")


@dataclass(frozen=True, kw_only=True)
class NgramConfig:
    """What an n-gram model is made of."""

    order: int = 4  # words of the longest n-grams
    level: Level = "words"
    tokenizer: TextTokenizer | None = None  # cuts text into tokens at the level of tokens
    prune: tuple[int, ...] = ()  # n-grams that occur this often at most are left out, by length; 0 keeps all
    vocabulary: tuple[str, ...] | None = None  # nothing else is a word; all words of the text where None
    min_count: int = 1  # rarer words are unknown ones
    is_raw: bool = False  # text as it is written, words parted by spaces, instead of normalised
    language: str = "en"  # whose words numbers are written in

    def __post_init__(self) -> None:
        if not 1 <= self.order <= LONGEST:
            raise RecipeError("the order of an n-gram model is out of range", given=self.order, mend="Give 1 to 10.")
        if (self.level == "tokens") != (self.tokenizer is not None):
            mend = "Give --tokenizer FOLDER with --level tokens, and without it for words."
            raise RecipeError("tokens need a tokenizer, and words none", given=f"--level {self.level}", mend=mend)
        if self.level == "tokens" and (self.vocabulary is not None or self.min_count > 1):
            mend = "Leave out --vocabulary and --min-count with --level tokens."
            raise RecipeError("the tokenizer has a vocabulary already", mend=mend)
        if self.min_count < 1:
            raise RecipeError("the least count of a word is below 1", given=self.min_count, mend="Give at least 1.")
        falls = any(one > two for one, two in pairwise(self.prune))
        if self.prune and (self.prune[0] != 0 or len(self.prune) > self.order or falls):
            raise RecipeError(
                "the numbers to prune by cannot be used",
                given=" ".join(map(str, self.prune)),
                mend="Give one a length at most, the first of them 0 and none smaller than the one before: 0 0 1.",
            )


@dataclass
class TextCount:
    """What was read."""

    lines: int = 0  # counted
    empty_lines: int = 0
    wordless_lines: int = 0  # not empty, but nothing of them is a word
    words: int = 0  # or tokens, of the lines that were counted, those unknown included
    unknown_words: int = 0


@dataclass(frozen=True)
class BuiltModel:
    """A model, and how it came about."""

    model: NgramModel
    count: TextCount
    discounts: Sequence[Discounts]


def build_ngram(sources: Sequence[TextSource], config: NgramConfig) -> BuiltModel:
    """Count the n-grams of text and smooth them by modified Kneser-Ney.

    Raises:
        DataError: the text has no words, or a line cannot be read.
    """
    count = TextCount()
    reader = _Reader(config, count)
    counter = NgramCounter(config.order)
    counter.add(reader.sentences(line.text for source in sources for line in each_line(source)))
    if not count.lines:
        mend = "Give sources of text that hold words."
        raise DataError("there is no text to count", where=", ".join(source.name for source in sources), mend=mend)
    words, counts = _with_sorted_words(reader, counter.counts(), config)
    # What became <unk> because it is rare shows after counting only.
    is_unknown = counts.rows[:, -1] == UNKNOWN
    count.unknown_words = int(counts.numbers[is_unknown].sum())
    tables, discounts = kneser_ney(counts, len(words), config.prune)
    facts = _facts(sources, config, count, discounts)
    return BuiltModel(assemble(words, tables, level=config.level, facts=facts), count, discounts)


class _Reader:
    """Turns lines into ids of words, in the order in which words are first seen; those of a tokenizer are its own."""

    def __init__(self, config: NgramConfig, count: TextCount) -> None:
        self.config, self.count = config, count
        listed = config.vocabulary or () if config.tokenizer is None else config.tokenizer.vocabulary.symbols
        silent = () if config.tokenizer is None else (*SPECIAL_SYMBOLS, *ADDED_SYMBOLS)
        self.ids = {word: place for place, word in enumerate(SPECIAL_WORDS)}
        for word in listed:
            if word not in silent:
                self.ids.setdefault(word, len(self.ids))
        # As text the special words mean nothing.
        self._ids_of_text = {**self.ids, **dict.fromkeys(SPECIAL_WORDS, UNKNOWN)}
        self._is_open = config.vocabulary is None and config.tokenizer is None
        self._ids_of_tokens = [self._ids_of_text.get(symbol, UNKNOWN) for symbol in listed]

    def sentences(self, lines: Iterable[str]) -> Iterator[list[int]]:
        """The ids of lines that hold a word."""
        for line in lines:
            if not line.strip():
                self.count.empty_lines += 1
                continue
            words = self._words_of(line if self.config.is_raw else spoken_form(line, self.config.language))
            if not words:
                self.count.wordless_lines += 1
                continue
            self.count.lines += 1
            self.count.words += len(words)
            yield words

    def _words_of(self, text: str) -> list[int]:
        if self.config.tokenizer is not None:
            tokens = self.config.tokenizer.encode(text)
            return [] if tokens.count(UNK) == len(tokens) else [self._ids_of_tokens[token] for token in tokens]
        words = text.split()
        if self._is_open:
            for word in words:
                if word not in self._ids_of_text:
                    self.ids[word] = self._ids_of_text[word] = len(self.ids)
        return [self._ids_of_text.get(word, UNKNOWN) for word in words]


def spoken_form(line: str, language: str = "en") -> str:
    """A line as transcripts are written: normalised, with numbers in words."""
    # Most lines of a text that was made for the purpose are in that form already.
    return line if _NORMAL.fullmatch(line) else normalize_text(spell_numbers(line, language))


def _with_sorted_words(reader: _Reader, counts: Counts, config: NgramConfig) -> tuple[list[str], Counts]:
    """The vocabulary in its order, and the counts with its ids; words that are too rare become unknown ones."""
    seen = list(reader.ids)  # in the order of their ids
    numbers = np.bincount(counts.rows[:, -1], weights=counts.numbers, minlength=len(seen))
    is_listed = config.vocabulary is not None or config.tokenizer is not None
    others = {
        word for word, number in zip(seen, numbers, strict=True) if is_listed or number >= config.min_count
    }.difference(SPECIAL_WORDS)
    words = [*SPECIAL_WORDS, *sorted(others)]
    places = {word: place for place, word in enumerate(words)}
    return words, counts.renamed(np.array([places.get(word, UNKNOWN) for word in seen]))


def _facts(
    sources: Sequence[TextSource], config: NgramConfig, count: TextCount, discounts: Sequence[Discounts]
) -> dict[str, Any]:
    tokenizer = config.tokenizer
    return {
        "sources": [{"name": source.name, "fingerprint": source.fingerprint()} for source in sources],
        "lines": count.lines,
        "words": count.words,
        "unknown_words": count.unknown_words,
        "is_raw": config.is_raw,
        "prune": list(config.prune),
        "min_count": config.min_count,
        "tokenizer": None if tokenizer is None else tokenizer.vocabulary.fingerprint(),
        "discounts": [list(each.values) for each in discounts],
        "fallbacks": [each.reason for each in discounts],
    }
