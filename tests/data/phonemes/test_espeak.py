# ruff: noqa: RUF001  (symbols of the IPA look like other letters)
import sys
from pathlib import Path

import pytest

from sprachbund.data.phonemes import espeak
from sprachbund.data.phonemes.espeak import NO_SOUND, EspeakReading, supported_languages
from sprachbund.data.phonemes.lines import Drawing, Phonemization
from sprachbund.data.phonemes.reading import NO_WORD, Reading
from sprachbund.data.text.blocks import Rejected, transform_lines
from sprachbund.data.text.fields import TextField
from sprachbund.errors import DataError
from sprachbund.tokens.text import load_tokenizer
from sprachbund.tokens.vocabulary import UNK

TEXTS = ["Guten Tag!", "", "zwölf", "...", "12", "the computer, ja"]


def test_german_is_read_by_its_rules() -> None:
    tag, empty, twelve, dots, number, mixed = EspeakReading(language="de").start()(TEXTS)
    assert tag == [("ɡ", "uː", "t", "ə", "n"), ("t", "ɑː", "k")]
    assert empty == dots == Rejected(NO_WORD)
    assert twelve == number == [("ts", "v", "œ", "l", "f")]
    assert not isinstance(mixed, Rejected)
    assert all("(" not in phone for word in mixed for phone in word), "the mark of another language is no sound"


def test_a_line_is_read_as_it_is_alone() -> None:
    read = EspeakReading(language="de").start()
    assert read(TEXTS) == [answer for text in TEXTS for answer in read([text])]


def test_languages_do_not_disturb_each_other() -> None:
    german, english = (EspeakReading(language=language).start() for language in ("de", "en-us"))
    first = german(["zwei"])
    assert english(["zwei"]) != first
    assert german(["zwei"]) == first


def test_places_are_marked() -> None:
    assert EspeakReading(language="de", word_places=True).start()(["ja o"]) == [[("j_B", "ɑː_E"), ("oː_S",)]]


def test_what_has_no_sound_is_rejected() -> None:
    assert espeak._phones_of("| ", False) == Rejected(NO_SOUND)


@pytest.mark.parametrize(
    ("language", "near"), [("german", "de (German)"), ("en", "en-us (English (America))"), ("de_DE", "de (German)")]
)
def test_unknown_languages_are_refused_with_near_names(language: str, near: str) -> None:
    with pytest.raises(DataError) as caught:
        EspeakReading(language=language)
    assert f"{near}" in str(caught.value)


def test_a_language_near_to_none_is_refused_with_all() -> None:
    with pytest.raises(DataError, match=r"Known are: .*, de, "):
        EspeakReading(language="qqqqq")


@pytest.mark.parametrize(("language", "is_ours"), [("de", True), ("de-AT", True), ("German", True), ("en", False)])
def test_it_understands_its_language(language: str, is_ours: bool) -> None:
    german = EspeakReading(language="de")
    assert german.understands(language) is is_ours
    assert isinstance(german, Reading)


def test_a_store_gets_a_tokenizer_of_its_symbols(tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text("Guten Tag\n\nja, 12\n", "utf-8")
    german = EspeakReading(language="de")
    outcome = transform_lines(source, Phonemization(german, Drawing(silence=1)), tmp_path / "store")
    assert outcome.rejected == {NO_WORD: 1}
    assert outcome.store is not None
    assert isinstance(outcome.store.fields["phones"], TextField)
    text = outcome.store.text("phones", 0)
    assert text == "SIL ɡ uː t ə n SIL t ɑː k SIL"
    assert german.finish(outcome.store) == [f"14 symbols in {tmp_path / 'store' / 'tokenizer'}"]
    tokenizer = load_tokenizer(tmp_path / "store" / "tokenizer")
    assert UNK not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert "<ctc_blank>" in tokenizer.vocabulary


def test_settings_tell_language_and_version() -> None:
    settings = EspeakReading(language="de").settings()
    assert settings["language"] == "de"
    assert "espeakng_loader 0." in settings["reader"]


@pytest.mark.parametrize("package", ["phonemizer.backend", "espeakng_loader"])
def test_a_missing_package_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    for cached in (espeak._espeak, supported_languages):
        cached.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DataError, match=r"pip install 'sprachbund\[espeak\]'"):
        EspeakReading(language="de")
