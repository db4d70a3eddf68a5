from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import bible
from sprachbund.data.corpora.bible import CORPUS, pair_verses, split_name, split_of
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import SPARV_BIBLE, WEB_BIBLE
from sprachbund.data.corpora.sword import Verse, read_verses


@pytest.mark.parametrize(
    ("book", "name"),
    [("Gen", "Genesis 3"), ("1Sam", "I Samuel 3"), ("3John", "III John 3"), ("John", "John 3"), ("PrMan", "PrMan 3")],
)
def test_books_have_the_names_of_the_split(book: str, name: str) -> None:
    assert split_name(book, 3) == name


def test_verses_of_both_are_paired() -> None:
    english = [Verse("Gen", 1, 1, "one"), Verse("Gen", 1, 3, "three"), Verse("Tob", 1, 1, "only")]
    spanish = [Verse("Gen", 1, 3, "tres"), Verse("Gen", 1, 1, "uno"), Verse("Acts", 8, 37, "solo")]
    assert pair_verses(english, spanish) == {"train": [("one", "uno"), ("three", "tres")], "dev": [], "test": []}


@pytest.fixture
def source(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_module: Callable[..., None],
    write_files: Callable[..., None],
    package_notices: Callable[[str], dict[str, bytes]],
) -> Path:
    chapters = [f'<chapter osisID="Gen.{k}" sID="x"/>' for k in range(1, 40)]
    for name, module, said in (("WEB_BIBLE", bible._ENGLISH, "Verse"), ("SPARV_BIBLE", bible._SPANISH, "Verso")):
        folder = tmp_path / "unpacked" / bible._MODULES / module
        old = [entry for k, mark in enumerate(chapters) for entry in (mark, f"{said} {k}.", f"{said} {k}, otra vez.")]
        write_module(folder / "ot", old)
        write_module(folder / "nt", ["", ""])
        package = Package(getattr(bible, name).name, ((f"{bible._MODULES}/{module}/nt.bzv", 20),))
        monkeypatch.setattr(bible, name, package)
        write_files(tmp_path / "unpacked", package_notices(package.name))
    return tmp_path / "unpacked"


def test_a_tiny_bible_becomes_parallel_text_and_a_stream(source: Path, tmp_path: Path) -> None:
    prepared = CORPUS.prepare(tmp_path / "corpora", source, False)

    def lines(name: str) -> list[str]:
        return (prepared.folder / name).read_text("utf-8").split("\n")[:-1]

    pairs = prepared.description["pairs"]
    assert pairs["train.en-es"] + pairs["dev.en-es"] + pairs["test.en-es"] == 78
    english, spanish = lines("train.en-es.en.txt"), lines("train.en-es.es.txt")
    assert [line.replace("Verse", "Verso") for line in english] == spanish
    assert len(lines("text.txt")) == pairs["train.en-es"]
    assert lines("text.txt")[0] == "verse zero"
    assert prepared.description["counts"]["verses_en"] == 78
    held_out = {line for split in ("dev", "test") for line in lines(f"{split}.en-es.en.txt")}
    assert not held_out & set(english)


@pytest.fixture(scope="module")
def real_verses(real_packages: Callable[..., list[Path]]) -> tuple[list[Verse], list[Verse]]:
    english, spanish = real_packages(WEB_BIBLE, SPARV_BIBLE)
    return (
        read_verses(english / bible._MODULES / bible._ENGLISH),
        read_verses(spanish / bible._MODULES / bible._SPANISH),
    )


def test_real_verses_have_the_known_counts(
    real_verses: tuple[list[Verse], list[Verse]], facts: Callable[[str], Any]
) -> None:
    """One verse more: the SWORD tools show it as a heading, because a chapter that begins there has no other text."""
    known = facts("acceptance")["bible"]
    english, spanish = real_verses
    misplaced = next(verse for verse in english if verse.place == ("EsthGr", 10, 14))
    assert misplaced.text.startswith("In the fourth year of the reign of Ptolemeus and Cleopatra")
    assert len(english) - 1 == known["en_verses"]
    assert len(spanish) == known["es_verses"]
    assert english[0] == Verse("Gen", 1, 1, "In the beginning, God created the heavens and the earth.")
    assert spanish[0].text == "EN el principio crió Dios los cielos y la tierra."
    assert len({verse.place for verse in english}) == len(english)
    assert len({(verse.book, verse.chapter) for verse in spanish}) == 1189
    assert not any(set(verse.text) & set("<>\n") for verse in english + spanish)


def test_real_pairs_have_the_known_counts(
    real_verses: tuple[list[Verse], list[Verse]], facts: Callable[[str], Any]
) -> None:
    known = facts("acceptance")["bible"]
    splits = pair_verses(*real_verses)
    assert {split: len(pairs) for split, pairs in splits.items()} == known["split_pairs"]
    pairs = [pair for part in splits.values() for pair in part]
    assert len(pairs) == known["pairs"]
    assert sum(len(english.split()) for english, _ in pairs) == known["en_words"]
    assert sum(len(spanish.split()) for _, spanish in pairs) == known["es_words"]
    chapters: dict[tuple[str, int], set[str]] = {}
    for verse in real_verses[0]:
        chapters.setdefault((verse.book, verse.chapter), set()).add(split_of(verse))
    assert all(len(splits) == 1 for splits in chapters.values())
