import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import MonoCut, SupervisionSegment

from sprachbund.data.corpora.layout import Clip
from sprachbund.data.corpora.splits import (
    assign_by_checksum,
    describe_files,
    held_out_files,
    held_out_lines,
    held_out_manifests,
    manifest_lines,
    remove_overlap,
    split_by_checksum,
)
from sprachbund.data.storage.manifest import write_cuts

CLIPS = st.lists(st.sampled_from("abcdefg").map(lambda text: Clip("x", "x.flac", 16000, 1, text, "en")), max_size=8)


def write_texts(path: Path, *texts: str) -> None:
    cuts = []
    for number, text in enumerate(texts):
        supervision = SupervisionSegment(f"s{number}", "r", 0, 1, text=text)
        cuts.append(MonoCut(f"c{number}", 0, 1, 0, [supervision]))
    write_cuts(cuts, path)


@given(CLIPS, CLIPS, CLIPS)
def test_no_text_stands_in_two_splits(train: list[Clip], dev: list[Clip], test: list[Clip]) -> None:
    texts = {split: {clip.text for clip in clips} for split, clips in remove_overlap(train, dev, test).items()}
    assert texts["test"] == {clip.text for clip in test}
    assert texts["dev"] == {clip.text for clip in dev} - texts["test"]
    assert texts["train"] == {clip.text for clip in train} - texts["test"] - {clip.text for clip in dev}


def test_checksums_assign_a_tenth_to_dev_and_test() -> None:
    assigned = [assign_by_checksum(f"key/{number}") for number in range(2000)]
    assert {"dev", "test", "train"} == set(assigned)
    assert 150 < assigned.count("dev") < 250
    assert 150 < assigned.count("test") < 250
    assert [assign_by_checksum(key) for key in ("digits/1", "vm-deleted")] == ["train", "train"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, is_complete in (("one", True), ("two", True), ("half", False)):
        write_texts(tmp_path / name / "train.jsonl.gz", f"training of {name}")
        write_texts(tmp_path / name / "dev.jsonl.gz", f"Held out of {name}!", "Café")
        if is_complete:
            (tmp_path / name / "corpus.json").write_text(json.dumps({}))
    return tmp_path


def test_held_out_lines_come_from_all_complete_corpora(root: Path) -> None:
    assert [path.parent.name for path in held_out_manifests(root)] == ["one", "two"]
    assert manifest_lines(held_out_manifests(root)) == {"held out of one", "held out of two", "café", "cafe"}
    assert manifest_lines(held_out_manifests(root / "nowhere")) == set()


def test_cuts_without_text_hold_no_line(tmp_path: Path) -> None:
    write_cuts([MonoCut("a", 0, 1, 0, [SupervisionSegment("s", "r", 0, 1)])], tmp_path / "a.jsonl")
    assert manifest_lines([tmp_path / "a.jsonl"]) == set()


@given(CLIPS, CLIPS, CLIPS)
def test_dev_may_keep_what_test_holds(train: list[Clip], dev: list[Clip], test: list[Clip]) -> None:
    splits = remove_overlap(train, dev, test, also_from_dev=False)
    assert (splits["dev"], splits["test"]) == (dev, test)
    assert splits["train"] == remove_overlap(train, dev, test)["train"]


def test_more_parts_hold_less_out() -> None:
    clips = [(f"key/{k}", Clip(f"{k}", "x.flac", 16000, 1, f"text {k}", "en")) for k in range(2000)]
    sizes = {parts: [len(split) for split in split_by_checksum(clips, parts).values()] for parts in (10, 20, 50)}
    assert all(sum(split) == 2000 for split in sizes.values())
    assert [split[2] / 2000 for split in sizes.values()] == pytest.approx([0.1, 0.05, 0.02], abs=0.015)
    assert [assign_by_checksum(key, 50) for key in ("Genesis 1", "I Samuel 3")] == ["train", "train"]


@pytest.mark.parametrize("name", ["train-clean.jsonl.gz", "train_other.jsonl.gz", "characters-test.jsonl.gz"])
def test_parts_of_training_and_other_tasks_are_not_held_out(root: Path, name: str) -> None:
    before = held_out_manifests(root)
    write_texts(root / "one" / name, "not held out")
    assert held_out_manifests(root) == before


@pytest.mark.parametrize("name", ["all.jsonl.gz", "dev-clean.jsonl.gz", "test.jsonl.gz", "trainer.jsonl.gz"])
def test_whatever_is_not_known_as_training_is_held_out(root: Path, name: str) -> None:
    write_texts(root / "two" / name, "held out too")
    assert root / "two" / name in held_out_manifests(root)
    assert root / "two" / name not in held_out_manifests(root, ["one"])


def test_parallel_texts_are_held_out_but_not_from_themselves(root: Path) -> None:
    for name in ("train.en-es.en.txt", "dev.en-es.en.txt", "test.en-es.es.txt", "text.txt"):
        (root / "two" / name).write_text(f"Aquí, {name}: 2\n", "utf-8")
    files = held_out_files(root, but="one")
    assert [path.name for path in files] == ["dev.jsonl.gz", "dev.en-es.en.txt", "test.en-es.es.txt"]
    assert held_out_lines(files) == {
        "held out of two",
        "café",
        "cafe",
        "aquí dev en es en txt two",
        "aqui dev en es en txt two",
        "aquí test en es es txt dos",
        "aqui test en es es txt dos",
    }
    assert [path.parent.name for path in held_out_files(root, but="two")] == ["one"]


def test_files_are_described_by_corpus(root: Path) -> None:
    files = held_out_files(root, but="")
    described = describe_files(files)
    assert list(described) == ["one", "two"]
    assert describe_files(reversed(files)) == described
    write_texts(root / "two" / "dev.jsonl.gz", "changed")
    changed = describe_files(files)
    assert changed["one"] == described["one"]
    assert changed["two"] != described["two"]
