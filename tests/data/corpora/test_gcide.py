import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import gcide
from sprachbund.data.corpora.gcide import CORPUS, definitions, read_dictionary
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.packages import GCIDE
from sprachbund.errors import CorpusError

DICTIONARY = r"""00-database-info
   Preamble that is no definition of anything.

Feel \Feel\ (f[=e]l), n. [AS. f[=e]lan; akin to
   G. f["u]hlen.]
   1. Feeling; perception. [R.]
      [1913 Webster]

            To intercept and have a more kindly feel of its
            genial warmth.                        --Hazlitt.
      [1913 Webster]

   2. (Zool.) An organ of touch; an antenn[ae]; -- said of
      insects. See {Feeler}.
   (b) A thing that was felt, 2 times.
      [Webster 1913 Suppl. [PJC]]

   Syn: Touch.
      [1913 Webster]

   Note: The word is old. It is still used.
Feline \Fe"line\, a.
   Like a cat, or of it.
"""
SENTENCES = [
    "To intercept and have a more kindly feel of its genial warmth.",
    "An organ of touch; an antennae; -- said of insects.",
    "A thing that was felt, 2 times.",
    "The word is old.",
    "It is still used.",
    "Like a cat, or of it.",
]


def test_senses_and_quotations_are_said_without_the_rest() -> None:
    assert list(definitions(DICTIONARY)) == SENTENCES


def test_a_text_without_headwords_defines_nothing() -> None:
    assert list(definitions("some text\n\nof any kind")) == []
    assert list(definitions("")) == []


def test_a_tiny_dictionary_becomes_a_stream(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    write_files: Callable[..., None],
    package_notices: Callable[[str], dict[str, bytes]],
) -> None:
    files = {gcide._DICTIONARY: gzip.compress(DICTIONARY.encode()), gcide._INDEX: b"feel\t1\t2\nfeline\t3\t4\n"}
    package = Package(GCIDE.name, tuple((name, len(content)) for name, content in files.items()))
    monkeypatch.setattr(gcide, "GCIDE", package)
    write_files(tmp_path / "unpacked", files | package_notices(package.name))
    prepared = CORPUS.prepare(tmp_path / "corpora", tmp_path / "unpacked", False)
    lines = (prepared.folder / "text.txt").read_text("utf-8").split("\n")
    assert lines[1:3] == ["an organ of touch an antennae said of insects", "a thing that was felt two times"]
    assert prepared.description["counts"] == {"entries": 2, "lines": 6, "words": 42}


def test_damaged_dictionaries_are_told(tmp_path: Path) -> None:
    path = tmp_path / "gcide.dict.dz"
    content = gzip.compress(DICTIONARY.encode())
    for damage in (content[:-9], b"no gzip", content[:40] + b"\xff" * 20 + content[60:]):
        path.write_bytes(damage)
        with pytest.raises(CorpusError, match=r"gcide\.dict\.dz"):
            read_dictionary(path)


@pytest.fixture(scope="module")
def real_folder(real_packages: Callable[..., list[Path]]) -> Path:
    return real_packages(GCIDE)[0]


@pytest.mark.slow
def test_the_real_dictionary_has_the_known_counts(real_folder: Path, facts: Callable[[str], Any]) -> None:
    content = read_dictionary(real_folder / gcide._DICTIONARY)
    words = sum(1 for _ in re.finditer(r"[^\W\d_]+(?:'[^\W\d_]+)*", content))
    assert words == facts("acceptance")["text"]["dict_gcide_words"]
    assert (real_folder / gcide._INDEX).read_bytes().count(b"\n") == 203_645


@pytest.mark.slow
def test_real_definitions_are_running_text(real_folder: Path) -> None:
    sentences = list(definitions(read_dictionary(real_folder / gcide._DICTIONARY)))
    assert 250_000 < len(sentences) < 320_000
    marked = [sentence for sentence in sentences if re.search(r"[\\{}\[\]]|1913", sentence)]
    assert len(marked) < 0.001 * len(sentences)
