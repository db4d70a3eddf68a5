from pathlib import Path

import pytest
from lhotse import SupervisionSegment
from lhotse.supervision import AlignmentItem

import importing
import tiny
from sprachbund.data.importers.alignments import attach, manifest_of, split_of, timed
from sprachbund.data.importers.utterances import Request
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError

WORDS = [timed("ab", 0.1, 0.1), timed("ba", 0.25, 0.15, 0.9)]


def aligned(items: object) -> dict[str, dict[str, list[AlignmentItem]]]:
    return {cut.id: dict(cut.supervisions[0].alignment or {}) for cut in items if hasattr(cut, "supervisions")}


def test_items_go_to_the_supervision(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 3)
    found = list(attach(manifest, {"clip-000": {"word": WORDS}, "clip-002": {"word": [], "phone": WORDS[:1]}}))
    assert aligned(found) == {
        "clip-000": {"word": WORDS}, "clip-001": {}, "clip-002": {"word": [], "phone": WORDS[:1]}
    }  # fmt: skip
    assert importing.notes(found) == [("without alignment", "clip-001")]
    # What is written is what is read.
    cuts = [item for item in found if hasattr(item, "supervisions")]
    write_cuts(cuts, tmp_path / "again.jsonl.gz")
    assert aligned(read_cuts(tmp_path / "again.jsonl.gz")) == aligned(found)


def test_times_of_a_recording_are_those_of_its_parts(tmp_path: Path) -> None:
    [whole] = tiny.make_cuts(tmp_path, samples=[16_000])
    parts = [whole.truncate(offset=0, duration=0.2, preserve_id=False), whole.truncate(offset=0.2, duration=0.8)]
    write_cuts(parts, tmp_path / "parts.jsonl.gz")
    first, second = aligned(attach(tmp_path / "parts.jsonl.gz", {"clip-000": {"word": WORDS}})).values()
    assert first == {"word": [WORDS[0]]}
    assert second == {"word": [AlignmentItem("ba", 0.05, 0.15, 0.9)]}
    # Under the name of the cut itself, times count from its start.
    [_, second] = aligned(attach(tmp_path / "parts.jsonl.gz", {parts[1].id: {"word": WORDS}})).values()
    assert second == {"word": WORDS}


def test_each_of_several_supervisions_takes_its_own(tmp_path: Path) -> None:
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    cut.supervisions = [SupervisionSegment("x", cut.id, 0, 0.22, text="a"), SupervisionSegment("y", cut.id, 0.22, 0.7)]
    write_cuts([cut], tmp_path / "two.jsonl.gz")
    [found] = attach(tmp_path / "two.jsonl.gz", {"clip-000": {"word": WORDS}})
    assert [said.alignment for said in found.supervisions] == [{"word": [WORDS[0]]}, {"word": [WORDS[1]]}]


def test_other_tiers_stay(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 1)
    [cut] = attach(manifest, {"clip-000": {"phone": WORDS}})
    write_cuts([cut], manifest)
    assert aligned(attach(manifest, {"clip-000": {"word": WORDS}})) == {"clip-000": {"phone": WORDS, "word": WORDS}}


def test_alignments_without_a_clip_are_told(tmp_path: Path) -> None:
    found = attach(tiny.write_corpus(tmp_path, 1), {"clip-000": {"word": WORDS}, "other": {"word": WORDS}})
    assert importing.notes(found) == [("alignments without a clip", "other")]


def test_the_manifest_gives_the_name(tmp_path: Path) -> None:
    request = Request(source="x", out=tmp_path, manifest=Path("some/train.jsonl.gz"))
    assert (manifest_of(request), split_of(request)) == (Path("some/train.jsonl.gz"), "train")
    with pytest.raises(DataError, match="Give it with --manifest"):
        manifest_of(Request(source="x", out=tmp_path))


def test_what_an_earlier_aligner_left_goes_with_its_phones(tmp_path: Path) -> None:
    """Its fingerprint would be that of other phones, and where it began would move the new times."""
    [cut] = tiny.make_cuts(tmp_path, samples=[16_000])
    said = cut.supervisions[0]
    said.start, said.duration = 0.1, 0.9
    said.alignment = {"phone": [AlignmentItem("AH", 0.0, 0.1)]}
    said.custom = {"alignment_start": 0.0, "alignment_fingerprint": "old", "alignment_score": -1.0, "kept": 1}
    write_cuts([cut], tmp_path / "aligned.jsonl.gz")
    [words_only] = attach(tmp_path / "aligned.jsonl.gz", {"clip-000": {"word": WORDS}})
    assert words_only.supervisions[0].custom == {**said.custom, "alignment_start": 0.1}
    assert words_only.supervisions[0].alignment == {"phone": [AlignmentItem("AH", 0.1, 0.1)], "word": WORDS}
    [both] = attach(tmp_path / "aligned.jsonl.gz", {"clip-000": {"word": WORDS, "phone": WORDS}})
    assert both.supervisions[0].custom == {"alignment_start": 0.1, "kept": 1}
    assert both.supervisions[0].alignment == {"phone": WORDS, "word": WORDS}
