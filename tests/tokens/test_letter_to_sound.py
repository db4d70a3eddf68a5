import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.tokens.letter_to_sound import LONGEST, PHONES, SPELLINGS, ending_of, phones_of_letters


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("treeworld", "T R IY W AO R L D"),
        ("sparky", "S P AA R K IY"),
        ("knox", "N AA K S"),
        ("xylem", "Z IH L EH M"),
        ("Noël", "N AA EH L"),
        ("grabbed", "G R AE B D"),
    ],
)
def test_phones_of_made_up_words(word: str, phones: str) -> None:
    assert phones_of_letters(word) == tuple(phones.split())


def test_there_are_39_phones_and_every_spelling_gives_them() -> None:
    assert len(set(PHONES)) == 39
    assert {phone for spelled in SPELLINGS.values() for phone in spelled.split()} <= set(PHONES)
    assert max(map(len, SPELLINGS)) <= LONGEST


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=30))
def test_every_word_of_letters_has_phones(word: str) -> None:
    phones = phones_of_letters(word)
    assert phones
    assert set(phones) <= set(PHONES)
    assert phones_of_letters(word.upper()) == phones


@given(st.text(max_size=20))
def test_nothing_else_breaks_it(word: str) -> None:
    assert set(phones_of_letters(word)) <= set(PHONES)


def test_a_word_without_letters_has_no_phones() -> None:
    assert phones_of_letters("日本") == phones_of_letters("'") == ()


@pytest.mark.parametrize(("phone", "ending"), [("T", "S"), ("D", "Z"), ("AY", "Z"), ("S", "IH Z"), ("CH", "IH Z")])
def test_the_possessive_follows_its_phone(phone: str, ending: str) -> None:
    assert ending_of(phone) == tuple(ending.split())
