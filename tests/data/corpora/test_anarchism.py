import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import anarchism
from sprachbund.data.corpora.anarchism import CORPUS, page_sentences, read_pages, strip_tags
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import ANARCHISM
from sprachbund.errors import CorpusError

PAGE = """<!DOCTYPE html><html><head><title>A.1 What?</title></head><body><h2>A.1.1 What does it mean?</h2>
<p>It is <i>"[t]he absence of a <b>master</b>."</i> [P-J Proudhon, <b>What is Property</b>, p. 264] In other
words&mdash;no ruler.</p><blockquote><p>More of it<br>here</p></blockquote></body></html>"""
SENTENCES = [
    "A.1.1 What does it mean?",
    'It is "the absence of a master ."',
    "In other words—no ruler.",
    "More of it",
    "here",
]


def test_pages_are_said_without_tags_heads_and_sources() -> None:
    assert list(page_sentences(PAGE)) == SENTENCES


def test_tiny_pages_become_a_stream(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_files: Callable[..., None],
    package_notices: Callable[[str], dict[str, bytes]],
) -> None:
    name = f"{anarchism._PAGES}/a.html"
    package = Package(ANARCHISM.name, ((name, len(PAGE.encode())),))
    monkeypatch.setattr(anarchism, "ANARCHISM", package)
    write_files(tmp_path / "unpacked", {name: PAGE.encode()} | package_notices(package.name))
    prepared = CORPUS.prepare(tmp_path / "corpora", tmp_path / "unpacked", False)
    lines = (prepared.folder / "text.txt").read_text("utf-8").split("\n")[:-1]
    assert lines[1:] == ["it is the absence of a master", "in other words no ruler", "more of it", "here"]
    assert prepared.description["counts"] == {"pages": 1, "lines": 5, "words": 23}


def test_pages_that_are_no_text_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"\xff\xff")
    with pytest.raises(CorpusError, match=r"a\.html"):
        read_pages(tmp_path)


def test_the_real_pages_have_the_known_counts(
    real_packages: Callable[..., list[Path]], facts: Callable[[str], Any]
) -> None:
    pages = read_pages(real_packages(ANARCHISM)[0] / anarchism._PAGES)
    assert len(pages) == 143
    words = sum(len(re.findall("[^\\W\\d_]+(?:['\u2019][^\\W\\d_]+)*", strip_tags(page))) for page in pages)
    assert words == facts("acceptance")["text"]["anarchism_words"]
    sentences = [sentence for page in pages[:5] for sentence in page_sentences(page)]
    assert len(sentences) > 1000
    assert not any(re.search(r"[\[\]]|<\w|&\w+;", sentence) for sentence in sentences)
