import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import wordnet
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.wordnet import CORPUS, read_glosses, split_gloss
from sprachbund.errors import CorpusError

DATA = {
    "noun": '  1 preamble | no\n01 n | a yellow fruit; "he ate it; twice"  \n02 n | a (long; thin) café\n',
    "verb": "03 v | see 2 things\n",
    "adj": "04 a | a yellow fruit\n05 a | Привет\n",
    "adv": '06 r | "Hello there!"\n',
}
LINES = ["a yellow fruit", "he ate it twice", "a long thin cafe", "see two things", "hello there"]


@pytest.fixture
def source(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    package_notices: Callable[[str], dict[str, bytes]],
    write_files: Callable[..., None],
) -> Path:
    files = {f"usr/share/wordnet/data.{part}": text.encode() for part, text in DATA.items()}
    package = Package("wordnet-base", tuple((name, len(content)) for name, content in files.items()))
    monkeypatch.setattr(wordnet, "WORDNET", package)
    write_files(tmp_path / "unpacked", files | package_notices(package.name))
    return tmp_path / "unpacked"


def test_glosses_split_at_semicolons_outside_of_quotes_and_parentheses() -> None:
    assert split_gloss('a (b; c) d; "e; f" g; ; h') == ["a (b; c) d", '"e; f" g', "h"]
    assert split_gloss('a; "b; c') == ["a", '"b', "c"]
    assert split_gloss("a (b; c") == ["a (b", "c"]


def test_the_text_stream_is_written_with_its_description(source: Path, tmp_path: Path) -> None:
    prepared = CORPUS.prepare(tmp_path / "corpora", source, False)
    assert (prepared.folder / "text.txt").read_text("utf-8").split("\n") == [*LINES, ""]
    assert prepared.description["counts"] == {"glosses": 6, "lines": 5, "words": 16}
    assert prepared.description["left_out"] == {"foreign": 1, "repeated": 1, "held_out": 0}
    assert prepared.description["checked_against"] == {}
    assert "Princeton" in (prepared.folder / "LICENSE.txt").read_text("utf-8")
    assert CORPUS.prepare(tmp_path / "corpora", None, False).was_complete


def test_damaged_dictionaries_are_refused(source: Path) -> None:
    folder = source / "usr/share/wordnet"
    (folder / "data.verb").write_text("03 v no bar\n")
    with pytest.raises(CorpusError, match=r"data\.verb, line 1"):
        list(read_glosses(folder))
    (folder / "data.verb").write_bytes(b"\xff\xfe | x")
    with pytest.raises(CorpusError, match=r"data\.verb"):
        list(read_glosses(folder))
    (folder / "data.noun").unlink()
    with pytest.raises(CorpusError, match=r"data\.noun"):
        list(read_glosses(folder))


def test_real_glosses_have_the_known_counts(real_wordnet: Path, facts: Callable[[str], Any]) -> None:
    known = facts("acceptance")["text"]
    glosses = list(read_glosses(real_wordnet))
    assert len(glosses) == known["wordnet_glosses"]
    words = sum(len(re.findall(r"[A-Za-z]+(?:'[A-Za-z]+)*", gloss)) for gloss in glosses)
    assert words == known["wordnet_gloss_words"]
