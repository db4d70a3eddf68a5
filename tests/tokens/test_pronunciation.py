from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.tokens.lexicon import Lexicon, Phones
from sprachbund.tokens.pronunciation import Pronouncer, Pronunciation, Source, ending_of, letters_of

LEXICON = Lexicon(
    {
        "us": (("AH", "S"), ("Y", "UW", "EH", "S")),
        "cat": (("K", "AE", "T"),),
        "fez": (("F", "EH", "Z"),),
        "cafe": (("K", "AH", "F", "EY"),),
        "cat's": (("K", "AE", "T", "S"),),
        "bo": (("B", "OW"),),
        "gas": (("G", "AE", "S"),),
    }
)


class Spelling:
    """Guesses the letters themselves and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        self.asked.append(list(words))
        return [tuple(letters_of(word).upper()) for word in words]


def said(*words: str) -> dict[str, Pronunciation]:
    return Pronouncer(LEXICON, Spelling()).pronounce(words)


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("us", "AH S"),
        ("cat's", "K AE T S"),
        ("us's", "AH S IH Z"),
        ("cats", "K AE T S"),
        ("café", "K AH F EY"),
        ("cafés", "K AH F EY Z"),
        ("café's", "K AH F EY Z"),
    ],
)
def test_known_words_and_their_endings_are_not_guessed(word: str, phones: str) -> None:
    found = said(word)[word]
    assert found.source is Source.LEXICON
    assert found.phones[0] == tuple(phones.split())


def test_all_ways_of_a_word_get_the_ending() -> None:
    assert said("us's")["us's"].phones == (("AH", "S", "IH", "Z"), ("Y", "UW", "EH", "S", "IH", "Z"))


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("dag", "D A G"),
        ("däg", "D A G"),
        ("dag's", "D A G Z"),
        ("bos", "B O S"),
        ("gass", "G A S S"),
        ("fezs", "F EH Z IH Z"),
    ],
)
def test_other_words_are_guessed_from_their_letters(word: str, phones: str) -> None:
    found = said(word)[word]
    assert found.phones == (tuple(phones.split()),)
    assert found.source is (Source.LEXICON if word == "fezs" else Source.GUESSED)


@pytest.mark.parametrize("word", ["日本", "привет", "", "'"])
def test_a_word_without_latin_letters_has_no_pronunciation(word: str) -> None:
    assert said(word)[word] == Pronunciation((), Source.NONE)


def test_a_guess_without_phones_is_none() -> None:
    found = Pronouncer(LEXICON, lambda words: [() for _ in words]).pronounce(["dag", "dag's", "cat"])
    assert [found[word].source for word in ("dag", "dag's", "cat")] == [Source.NONE, Source.NONE, Source.LEXICON]


def test_guesses_are_asked_for_together_and_once() -> None:
    guess = Spelling()
    pronouncer = Pronouncer(LEXICON, guess)
    pronouncer.pronounce(["dag", "us", "dag's", "big", "dag", "日本"])
    pronouncer.pronounce(["big", "dag", "日本", "cat"])
    pronouncer.pronounce([])
    assert guess.asked == [["big", "dag"]]


def test_guesses_are_forgotten_before_the_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sprachbund.tokens.pronunciation._MOST_REMEMBERED", 2)
    guess = Spelling()
    pronouncer = Pronouncer(LEXICON, guess)
    for words in (["a", "b", "c"], ["a"], ["a"]):
        assert set(pronouncer.pronounce(words)) == set(words)
    assert guess.asked == [["a", "b", "c"], ["a"]]


@given(st.lists(st.text("abcs'é日", max_size=6), max_size=6))
def test_a_pronunciation_depends_on_the_word_alone(words: list[str]) -> None:
    together = said(*words)
    assert set(together) == set(words)
    assert together == {word: said(word)[word] for word in words}


@given(st.text(max_size=12))
def test_letters_are_those_of_the_alphabet(word: str) -> None:
    letters = letters_of(word)
    assert set(letters) <= set("abcdefghijklmnopqrstuvwxyz'")
    assert letters_of(letters) == letters_of(word.upper().lower()) or not word.isascii()
    assert letters_of("Straße, naïve") == "strassenaive"


@pytest.mark.parametrize(("phone", "ending"), [("T", "S"), ("D", "Z"), ("AY", "Z"), ("S", "IH Z"), ("CH", "IH Z")])
def test_the_ending_follows_its_phone(phone: str, ending: str) -> None:
    assert ending_of(phone) == tuple(ending.split())
