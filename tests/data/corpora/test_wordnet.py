import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprachbund.data.corpora import wordnet
from sprachbund.data.corpora.layout import Clip, Origin, finish_speech
from sprachbund.data.corpora.packages import Package
from sprachbund.data.corpora.splits import held_out_manifests, manifest_lines
from sprachbund.data.corpora.wordnet import collect_lines, prepare, read_glosses, split_gloss
from sprachbund.errors import CorpusError
from sprachbund.files import write_atomically

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


@pytest.fixture
def add_corpus(tmp_path: Path, source: Path) -> Callable[[str], None]:
    """Put a speech corpus with one held-out text beside the text stream."""

    def add(text: str) -> None:
        folder = tmp_path / "corpora" / "speech"
        clips = [Clip("speech-0", "recordings/0.flac", 16000, 1600, text, "en")]
        training = [Clip("speech-1", "recordings/1.flac", 16000, 1600, "see two things", "en")]
        origin = Origin("speech", ("en",), "free", "me", ((wordnet.WORDNET, source),), ("copyright",))
        finish_speech(folder, origin, {"train": training, "test": clips}, {})

    return add


def test_glosses_split_at_semicolons_outside_of_quotes_and_parentheses() -> None:
    assert split_gloss('a (b; c) d; "e; f" g; ; h') == ["a (b; c) d", '"e; f" g', "h"]
    assert split_gloss('a; "b; c') == ["a", '"b', "c"]
    assert split_gloss("a (b; c") == ["a (b", "c"]


def test_lines_are_normalised_once_each_and_counted() -> None:
    result = collect_lines(["One 1; one one!", "Größe", "naïve", "(", "keep me; leave me", "leave me"], {"leave me"})
    assert result.lines == ("one one", "naive", "keep me")
    assert (result.glosses, result.foreign, result.repeated, result.removed) == (6, 1, 2, 1)


def test_the_text_stream_is_written_with_its_description(source: Path, tmp_path: Path) -> None:
    prepared = prepare(tmp_path / "corpora", source)
    assert (prepared.folder / "text.txt").read_text("utf-8").split("\n") == [*LINES, ""]
    assert prepared.description["counts"] == {"glosses": 6, "lines": 5, "words": 16}
    assert prepared.description["left_out"] == {"foreign": 1, "repeated": 1, "held_out": 0}
    assert prepared.description["checked_against"] == {}
    assert "Princeton" in (prepared.folder / "LICENSE.txt").read_text("utf-8")
    assert prepare(tmp_path / "corpora").was_complete


def test_held_out_texts_are_left_out_when_a_corpus_comes_or_changes(
    source: Path, tmp_path: Path, add_corpus: Callable[[str], None]
) -> None:
    root = tmp_path / "corpora"
    prepare(root, source)
    add_corpus("Hello, there")
    assert manifest_lines(held_out_manifests(root)) == {"hello there"}
    second = prepare(root, source)
    assert not second.was_complete
    assert second.description["left_out"]["held_out"] == 1
    assert list(second.description["checked_against"]) == ["speech"]
    assert (second.folder / "text.txt").read_text("utf-8").split("\n") == [*LINES[:-1], ""]
    assert prepare(root).was_complete
    add_corpus("a long, thin café")
    third = prepare(root, source)
    assert (third.folder / "text.txt").read_text("utf-8").split("\n") == [*LINES[:2], *LINES[3:], ""]
    assert third.description["checked_against"] != second.description["checked_against"]


def test_a_changed_text_is_written_again(source: Path, tmp_path: Path) -> None:
    folder = prepare(tmp_path / "corpora", source).folder
    with write_atomically(folder / "text.txt", "w") as handle:
        handle.write("another\n")
    assert not prepare(tmp_path / "corpora", source).was_complete
    assert (folder / "text.txt").read_text("utf-8").split("\n") == [*LINES, ""]


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
