import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora import wesnoth
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import WESNOTH, WESNOTH_LANGUAGES
from sprachbund.data.corpora.wesnoth import CORPUS, clean_pairs, read_catalogue, read_pairs
from sprachbund.errors import CorpusError

# Of the facts: pairs, and thousands of words of both sides, runs of letters.
KNOWN = {
    "de": (2793, 72, 72), "es": (2898, 74, 82), "fr": (2898, 74, 80), "it": (2885, 74, 81), "ru": (2938, 80, 69),
    "sv": (2202, 42, 40), "pt": (1884, 41, 42), "cs": (2912, 77, 68), "nl": (2459, 52, 53),
}  # fmt: skip
WORD = re.compile("[^\\W\\d_]+(?:['\u2019][^\\W\\d_]+)*")


def build_catalogue(texts: Mapping[str, str]) -> bytes:
    start, count = 28, len(texts)
    places, data = [], b""
    for text in (*texts, *texts.values()):
        places.append((len(text.encode()), start + 16 * count + len(data)))
        data += text.encode() + b"\0"
    header = struct.pack("<IIIIIII", 0x950412DE, 0, count, start, start + 8 * count, 0, 0)
    return header + b"".join(struct.pack("<II", *place) for place in places) + data


def test_catalogues_are_read_without_contexts_and_with_all_plurals(tmp_path: Path) -> None:
    texts = {
        "": "Content-Type: text/plain",
        "menu\x04Go now": "Los",
        "short^Go then": "Dann los",
        f"{'long ' * 9}^kept": "Lang",
        "one unit\0many units": "eine Einheit\0viele Einheiten",
        "Untranslated": "",
    }
    (tmp_path / "a.mo").write_bytes(build_catalogue(texts))
    assert read_catalogue(tmp_path / "a.mo") == [
        ("Go now", "Los"),
        ("Go then", "Dann los"),
        (f"{'long ' * 9}^kept", "Lang"),
        ("one unit", "eine Einheit"),
        ("one unit", "viele Einheiten"),
    ]


@given(st.dictionaries(st.text("abcé ", min_size=1), st.text("xyzß ", min_size=1), max_size=8), st.data())
def test_damaged_catalogues_are_told(tmp_path_factory, texts: dict[str, str], data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("catalogue") / "a.mo"
    content = build_catalogue(texts)
    path.write_bytes(content)
    assert read_catalogue(path) == list(texts.items())
    keep = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:keep])
    try:
        assert set(read_catalogue(path)) <= set(texts.items())
    except CorpusError as error:
        assert "a.mo" in str(error)


def test_other_files_are_no_catalogues(tmp_path: Path) -> None:
    for content in (b"", b"\xde\x12\x04\x95", b"#!/bin/sh and more than twenty bytes"):
        (tmp_path / "a.mo").write_bytes(content)
        with pytest.raises(CorpusError, match=r"a\.mo"):
            read_catalogue(tmp_path / "a.mo")


def test_pairs_lose_tags_and_those_with_templates_are_left_out() -> None:
    pairs = [
        ("<i>The first</i>\n line", "Die\n\nerste"),
        ("The first line", "Die erste"),
        ("Gain $amount gold", "Gewinne Gold"),
        ("Fifty per cent", "50 %"),
        ("<b></b>", "leer"),
    ]
    assert list(clean_pairs(pairs)) == [("The first line", "Die erste")]


def test_tiny_catalogues_become_parallel_text(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_files: Callable[..., None],
    package_notices: Callable[[str], dict[str, bytes]],
) -> None:
    place = f"{wesnoth._LOCALES}/{{}}/LC_MESSAGES/wesnoth-x.mo"
    files = {
        place.format(language): build_catalogue(
            {"One of two": f"{language} eins", "Go on": "x", "Name it so": "Name it so"}
        )
        for language in WESNOTH_LANGUAGES
    }
    package = Package(WESNOTH.name, ((place.format("de"), len(files[place.format("de")])),))
    monkeypatch.setattr(wesnoth, "WESNOTH", package)
    write_files(tmp_path / "unpacked", files | package_notices(package.name))
    prepared = CORPUS.prepare(tmp_path / "corpora", tmp_path / "unpacked", False)
    assert prepared.description["pairs"] == {f"train.en-{language}": 1 for language in WESNOTH_LANGUAGES}
    assert (prepared.folder / "train.en-sv.en.txt").read_text("utf-8") == "One of two\n"
    assert (prepared.folder / "train.en-sv.sv.txt").read_text("utf-8") == "sv eins\n"
    assert (prepared.folder / "text.txt").read_text("utf-8") == "one of two\n"


@pytest.mark.parametrize("language", WESNOTH_LANGUAGES)
def test_real_pairs_have_the_known_counts(language: str, real_packages: Callable[..., list[Path]]) -> None:
    pairs = read_pairs(real_packages(WESNOTH)[0] / wesnoth._LOCALES / language)
    words = [sum(len(WORD.findall(pair[side])) for pair in pairs) for side in (0, 1)]
    assert (len(pairs), *(round(count / 1000) for count in words)) == KNOWN[language]
    cleaned = list(clean_pairs(pairs))
    assert len(cleaned) > 0.75 * len(pairs)
    assert not any(set(text) & set("<>$|\n") for pair in cleaned for text in pair)
