import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lhotse import MonoCut, SupervisionSegment

from sprachbund.data.corpora.layout import Clip
from sprachbund.data.corpora.splits import (
    assign_by_checksum,
    held_out_manifests,
    manifest_lines,
    remove_overlap,
)
from sprachbund.data.manifest import write_cuts

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
