import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.phonemes.spelling import Guess, reading
from sprachbund.data.phonemes import reading as reading_module
from sprachbund.data.phonemes.reading import FEW_KNOWN_WORDS, NO_KNOWN_WORD, NO_WORD, LexiconReading, Reading
from sprachbund.data.text.blocks import Rejected
from sprachbund.data.text.fields import IdsField, TextField
from sprachbund.data.text.store import LineStore
from sprachbund.data.text.writer import new_store
from sprachbund.tokens.lexicon import Phones


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> LexiconReading:
    return reading(tmp_path_factory.mktemp("lexicon"))


def read(english: LexiconReading, text: str) -> list[Phones] | Rejected:
    return english.start()([text])[0]


def words(text: str) -> list[Phones]:
    return [tuple(word.split()) for word in text.split("|")]


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("The cat sat.", "DH AH|K AE T|S AE T"),
        ("THE CAT'S 2 cats", "DH AH|K AE T S|T UW|K AE T S"),
        ("a zorg", "AH|OY"),
        ("i & 日本 i", "AY|OY|SPN|AY"),
        ("i q", "AY|SPN"),
    ],
)
def test_words_are_read_by_lexicon_and_guess(english: LexiconReading, text: str, phones: str) -> None:
    assert read(english, text) == words(phones)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", Rejected(NO_WORD)),
        (" ... !", Rejected(NO_WORD)),
        ("zorg", Rejected(NO_KNOWN_WORD)),
        ("日本", Rejected(NO_KNOWN_WORD)),
        ("i zorg blarg", Rejected(FEW_KNOWN_WORDS, "1 of 3")),
    ],
)
def test_what_is_likely_another_language_is_rejected(english: LexiconReading, text: str, answer: Rejected) -> None:
    assert read(english, text) == answer


def test_places_are_marked_on_phones_but_not_on_noise(tmp_path: Path) -> None:
    placed = reading(tmp_path, word_places=True)
    assert read(placed, "the cat i q i") == words("DH_B AH_E|K_B AE_I T_E|AY_S|SPN|AY_S")
    field = placed.field()
    assert isinstance(field, IdsField)
    assert field.vocabulary == placed.vocabulary
    assert field.vocabulary.id_of("AY_S") in placed.value(["AY_S"])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text("acst hegq'.é日 ", max_size=12), max_size=5))
def test_a_line_is_read_as_it_is_alone(english: LexiconReading, texts: list[str]) -> None:
    together = english.start()(texts)
    assert together == [read(english, text) for text in texts]
    for answer in together:
        if not isinstance(answer, Rejected):
            ids = english.value([phone for word in answer for phone in word])
            assert min(ids) > 3, "every phone has a symbol"


def test_settings_tell_what_decides_the_result(english: LexiconReading, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    same = reading(tmp_path / "other")
    assert same.settings() == english.settings()
    (tmp_path / "other" / "lexicon").write_text("cat K AE T\n")
    others = [
        same,
        dataclasses.replace(english, word_places=True),
        dataclasses.replace(english, guess=Guess("AH")),
    ]
    assert all(other.settings() != english.settings() for other in others)


@pytest.mark.parametrize(("language", "is_ours"), [("en", True), ("en-GB", True), ("English", True), ("de", False)])
def test_it_understands_english(english: LexiconReading, language: str, is_ours: bool) -> None:
    assert english.understands(language) is is_ours
    assert isinstance(english, Reading)


def store_of(english: LexiconReading, folder: Path, lines: list[tuple[str, str]]) -> LineStore:
    with new_store(folder, {"phones": english.field(), "text": TextField()}) as writer:
        for phones, text in lines:
            writer.add({"phones": english.value(phones.split()), "text": text})
    return LineStore(folder)


def test_noise_and_guesses_are_told(english: LexiconReading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "_PIECE", 2)
    lines = [
        ("SIL AY SIL", "I"),
        ("SIL SPN SPN SIL", "cat zorg cat"),
        ("SPN", "the cat"),
        ("SIL", "i"),
        ("SPN SIL", "a"),
    ]
    assert english.finish(store_of(english, tmp_path / "few", lines)) == [
        "3 lines hold words that nobody can read, as SPN",
        "12.5% of the words of 5 lines are in no lexicon and are guessed",
    ]
    strange = store_of(english, tmp_path / "many", [("AY OY", "i zorg")])
    assert english.finish(strange) == [
        "50.0% of the words of 1 lines are in no lexicon and are guessed: is the text English?"
    ]
