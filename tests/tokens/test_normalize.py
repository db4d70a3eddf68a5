import builtins
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import DataError
from sprachbund.tokens.normalize import (
    fold_to_ascii,
    natural_case,
    normalize_text,
    remove_non_speech_marks,
    spell_numbers,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I had to INSPECT it.", "i had to inspect it"),
        ("What d'you think of this TOOL?", "what d'you think of this tool"),
        ("R&M files...", "r and m files"),
        ("Goin' DOWN?", "goin down"),
        ("\u2018...requisition form SOS23.'", "requisition form sos23"),
        ("¡Él dijo: ¿QUÉ…?", "él dijo qué"),
        ("a-b_c\x85d", "a b c d"),
        ("don\u2019t ''", "don't"),
        ("rock 'n' roll", "rock n roll"),
        ("a''b", "ab"),
        ("½ ² 3", "3"),
        ("...", ""),
        ("", ""),
        ("Cafe\u0301 d\u2019E\u0301te\u0301", "café d'été"),
        ("हिन्दी, வணக்கம்!", "हिन्दी வணக்கம்"),
    ],
)
def test_references_are_normalised(text: str, expected: str) -> None:
    assert normalize_text(text) == expected


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    marks = [c for c in once if not (c.isalpha() or c.isdecimal() or c in "' ")]
    assert {unicodedata.category(mark) for mark in marks} <= {"Mn", "Mc"}
    assert "  " not in once
    assert once == once.strip(" '")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sneeze> Hello (sigh) there^_", "Hello there"),
        ("(note: two words) stay", "(note: two words) stay"),
        ("nothing  here", "nothing  here"),
    ],
)
def test_marks_that_are_not_said_are_removed(text: str, expected: str) -> None:
    assert remove_non_speech_marks(text) == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("press 1, or 42!", "en", "press one, or forty two!"),
        ("It's a 30 millimeter wrench", "en", "It's a thirty millimeter wrench"),
        ("form SOS23.", "en", "form SOS twenty three."),
        ("3D and H.323", "en", "three D and H.three hundred and twenty three"),
        ("the 21st, 3RD", "en", "the twenty first, third"),
        (
            "1,234,567 and 1,234",
            "en",
            "one million two hundred and thirty four thousand five hundred and sixty seven and "
            "one thousand two hundred and thirty four",
        ),
        ("28.8 kilobit", "en", "twenty eight point eight kilobit"),
        ("in 1874", "en", "in eighteen seventy four"),
        ("007", "en", "zero zero seven"),
        ("1" * 16, "en", " ".join(["one"] * 16)),
        ("1-0!", "sv", "ett-noll!"),
        ("30 Millimeter", "de", "dreißig Millimeter"),
        ("WD40!", "es", "WD cuarenta!"),
        ("no  number", "xx", "no  number"),
    ],
)
def test_numbers_are_spelled(text: str, language: str, expected: str) -> None:
    assert spell_numbers(text, language) == expected


@settings(deadline=None, max_examples=80)
@given(
    st.text(alphabet="0123456789., abst\u0663-", max_size=30),
    st.sampled_from(["en", "de", "fr", "sv", "it", "pt", "es"]),
)
def test_no_digit_is_left(text: str, language: str) -> None:
    spelled = spell_numbers(text, language)
    assert not any(character.isdecimal() for character in spelled)
    assert spell_numbers(spelled, language) == spelled


def test_unknown_languages_are_refused() -> None:
    with pytest.raises(DataError, match="zz"):
        spell_numbers("7 things", "zz")


def test_without_the_speller_only_numbers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "num2words":
            raise ImportError(name)
        return load(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert spell_numbers("no number") == "no number"
    with pytest.raises(DataError, match="pip install"):
        spell_numbers("1 number")


def test_accents_are_folded() -> None:
    assert fold_to_ascii("Café Ångström naïve ñ") == "Cafe Angstrom naive n"
    assert fold_to_ascii("ß") == "ß"


FORMS = {
    "TRANSPORTROBOTER": "Transportroboter",
    "AUTOMATISCH": "automatisch",
    "LINC'S": "LINC's",
    "SPECIALITE": "spécialité",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Er wird AUTOMATISCH aktiviert. Vom TRANSPORTROBOTER.",
            "Er wird automatisch aktiviert. Vom Transportroboter.",
        ),
        ("AUTOMATISCH!", "Automatisch!"),
        ("...AUTOMATISCH", "...Automatisch"),
        ("... et sa SPECIALITE", "... et sa spécialité"),
        ("It is LINC'S and I", "It is LINC's and I"),
        ("d'AUTOMATISCH", "d'automatisch"),
        ("GPS and UNKNOWNWORD", "GPS and unknownword"),
        ("automatisch I A", "automatisch I A"),
        ("¡SPECIALITE!", "¡Spécialité!"),
        ("...", "..."),
    ],
)
def test_emphasis_becomes_natural_case(text: str, expected: str) -> None:
    assert natural_case(text, FORMS) == expected


@given(st.text())
def test_natural_case_without_capitals_changes_nothing(text: str) -> None:
    lower = text.lower()
    assert natural_case(lower, {}) == lower
