import string
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.layout import Origin, Prepared
from sprachbund.data.corpora.package_cache import Package
from sprachbund.data.corpora.text_corpus import PairedText, Text, collect_lines, prepare_text, text_corpus
from sprachbund.files import write_atomically

PARTS = ["A yellow fruit", "Hello, there!", "see 2 things", "Привет", "hello there", "a long, thin café"]
PAIRS = [("Hello there.", "Hola."), ("One more.", "Uno más."), ("The last", "El último")]
WORDS = st.lists(st.text(string.ascii_lowercase[:3] + "é ", max_size=4), max_size=12)

Prepare = Callable[..., Prepared]


@pytest.fixture
def text(tmp_path: Path, finish_tiny: Callable[..., Any]) -> Text:
    origin = Origin("tiny", ("en",), "free", "me", ((Package("p", ()), tmp_path / "notices"),), ("copyright",))
    paired = [PairedText("train", ("en", "es"), PAIRS), PairedText("dev", ("en", "es"), [("Held 2", "Retenido")])]
    return Text(origin, PARTS, paired, {"pages": 3})


@pytest.fixture
def prepare(text: Text, tmp_path: Path) -> Prepare:
    return partial(prepare_text, lambda source: text, "tiny", tmp_path / "corpora")


def lines(prepared: Prepared, name: str = "text.txt") -> list[str]:
    return (prepared.folder / name).read_text("utf-8").split("\n")[:-1]


def test_lines_are_normalised_once_each_and_counted() -> None:
    result = collect_lines(
        ["One 1; one", "Größe", "naïve", "(", "keep me", "leave me", "naive", "leave me"], {"leave me"}
    )
    assert result.lines == ("one one one", "naive", "keep me")
    assert (result.foreign, result.repeated, result.removed) == (1, 2, 1)


def test_text_and_pairs_are_written_with_their_description(prepare: Prepare) -> None:
    prepared = prepare()
    assert lines(prepared) == ["a yellow fruit", "hello there", "see two things", "a long thin cafe"]
    assert lines(prepared, "train.en-es.en.txt") == [english for english, _ in PAIRS]
    assert lines(prepared, "train.en-es.es.txt") == [spanish for _, spanish in PAIRS]
    assert prepared.description["counts"] == {"pages": 3, "lines": 4, "words": 12}
    assert prepared.description["left_out"] == {"foreign": 1, "repeated": 1, "held_out": 0}
    assert prepared.description["pairs"] == {"train.en-es": 3, "dev.en-es": 1}
    assert prepare().was_complete


def test_held_out_texts_leave_lines_and_pairs_when_a_corpus_comes(
    prepare: Prepare, text: Text, tmp_path: Path, finish_tiny: Callable[..., Any]
) -> None:
    root = tmp_path / "corpora"
    prepare()
    finish_tiny(root / "speech", train=["a yellow fruit"], test=["Hello, there", "UNO más", "Retenido"])
    narrowed = prepare()
    assert not narrowed.was_complete
    assert lines(narrowed) == ["a yellow fruit", "see two things", "a long thin cafe"]
    assert lines(narrowed, "train.en-es.en.txt") == ["The last"]
    assert lines(narrowed, "dev.en-es.es.txt") == ["Retenido"]
    assert narrowed.description["left_out"]["held_out"] == 1
    assert narrowed.description["pairs"] == {"train.en-es": 1, "dev.en-es": 1}
    assert list(narrowed.description["checked_against"]) == ["speech"]
    assert prepare().was_complete
    # Narrowed and made anew are the same.
    (narrowed.folder / "corpus.json").unlink()
    assert prepare().description == narrowed.description


def test_lines_come_back_when_what_is_held_out_changes(
    prepare: Prepare, tmp_path: Path, finish_tiny: Callable[..., Any]
) -> None:
    finish_tiny(tmp_path / "corpora/speech", train=["x"], test=["Hello, there"])
    first = prepare()
    assert "hello there" not in lines(first)
    finish_tiny(tmp_path / "corpora/speech", train=["x"], test=["a long, thin café"])
    second = prepare()
    assert lines(second) == ["a yellow fruit", "hello there", "see two things"]
    assert second.description["checked_against"] != first.description["checked_against"]


def test_the_texts_held_out_by_other_texts_count_but_not_its_own(prepare: Prepare, text: Text, tmp_path: Path) -> None:
    prepare()
    stream = replace(text, parts=["held two!", "free"], paired=())
    other = prepare_text(lambda source: stream, "other", tmp_path / "corpora")
    assert lines(other) == ["free"]
    assert list(other.description["checked_against"]) == ["tiny"]
    assert prepare().was_complete  # the other one holds nothing out


def test_a_changed_text_is_written_again(prepare: Prepare) -> None:
    before = lines(prepare())
    with write_atomically(prepare().folder / "text.txt", "w") as handle:
        handle.write("another\n")
    assert lines(prepare()) == before


@given(WORDS, st.sets(st.text(string.ascii_lowercase[:3], max_size=2)), st.sets(st.text("abc", max_size=2)))
def test_taking_out_in_two_steps_is_taking_out_at_once(parts: Sequence[str], first: set[str], then: set[str]) -> None:
    at_once = collect_lines(parts, first | then)
    in_steps = [line for line in collect_lines(parts, first).lines if line not in then]
    assert list(at_once.lines) == in_steps
    assert at_once.removed == len(set(collect_lines(parts, set()).lines) & (first | then))


def test_the_row_of_a_text_has_no_shards(text: Text) -> None:
    row = text_corpus(lambda source: text, name="tiny", languages=("en",), licence="free", description="d")
    assert (row.kind, row.minutes, row.prepare_shard) == ("text", None, None)
