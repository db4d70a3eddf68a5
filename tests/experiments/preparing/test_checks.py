from pathlib import Path
from typing import Any

import pytest
from lhotse import CutSet

import tiny
from experiments.preparable import with_texts, write_sources
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError
from sprachbund.experiments.preparing.checks import check_sources, has_transcripts


def write_other(folder: Path, name: str, *texts: str, language: str | None = None) -> Path:
    """A manifest of three clips of this name that say these texts; nothing without a text."""
    cuts = tiny.make_cuts(folder, 3, name=name)
    path = folder / f"{name}.jsonl.gz"
    write_cuts(with_texts(cuts, *texts, language=language), path)
    return path


def test_sources_that_go_together_are_taken(tmp_path: Path) -> None:
    check_sources(write_sources(tmp_path), needs_pairs=True)
    check_sources(write_sources(tmp_path, paired=()), needs_pairs=False)
    german = write_other(tmp_path, "german", "eine Katze", language="de")
    check_sources(write_sources(tmp_path, speech=(german,)), needs_pairs=True)  # what is not read may be anything


@pytest.mark.parametrize(
    ("texts", "language", "told"),
    [
        (("eine Katze",), "de", "the paired part is in another language.*3 transcripts.*lexicon is English"),
        (("",), None, "the paired part has no transcripts.*3 supervisions"),
        (("...", "?"), "en", "the paired part has no transcripts"),
    ],
    ids=["German", "empty", "marks only"],
)
def test_a_paired_part_that_cannot_be_aligned_is_refused(
    tmp_path: Path, texts: tuple[str, ...], language: str | None, told: str
) -> None:
    paired = write_other(tmp_path, "other", *texts, language=language)
    with pytest.raises(DataError, match=told):
        check_sources(write_sources(tmp_path, paired=(paired,)), needs_pairs=True)
    # One transcript that can be read is enough: the others are counted when they are aligned.
    write_cuts(CutSet.from_cuts([*read_cuts(paired), *read_cuts(write_other(tmp_path, "good", "a cab"))]), paired)
    check_sources(write_sources(tmp_path, paired=(paired,)), needs_pairs=True)


def test_a_missing_paired_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no paired part.*--paired MANIFEST"):
        check_sources(write_sources(tmp_path, paired=()), needs_pairs=True)


@pytest.mark.parametrize(
    ("part", "what"), [("speech", "the speech to train on"), ("paired", "the paired part")], ids=["s", "p"]
)
@pytest.mark.parametrize("held_out", ["valid", "held_out"])
def test_held_out_clips_are_not_trained_on(tmp_path: Path, part: str, what: str, held_out: str) -> None:
    sources = write_sources(tmp_path)
    changes: dict[str, Any] = {part: sources.valid, "valid": (), held_out: sources.valid}
    if (part, held_out) == ("speech", "valid"):
        copy = tmp_path / "copy" / "valid.jsonl.gz"
        write_cuts(read_cuts(sources.valid[0]), copy)
        changes["speech"] = (copy,)
    with pytest.raises(DataError, match=f"{what} holds held-out clips.*2 clips, such as valid-000"):
        check_sources(write_sources(tmp_path, **changes), needs_pairs=True)


def test_clips_that_come_twice_and_empty_texts_are_refused(tmp_path: Path) -> None:
    sources = write_sources(tmp_path)
    copy = tmp_path / "copy.jsonl.gz"
    write_cuts(list(read_cuts(sources.speech[0]))[1:3], copy)
    with pytest.raises(DataError, match=r"share clip ids.*2 ids, such as clip-001"):
        check_sources(write_sources(tmp_path, speech=(*sources.speech, copy)), needs_pairs=True)
    (tmp_path / "empty.txt").write_text("", "utf-8")
    with pytest.raises(DataError, match=r"the text is empty in .*empty.txt"):
        check_sources(write_sources(tmp_path, text=(str(tmp_path / "empty.txt"),)), needs_pairs=True)
    with pytest.raises(DataError):
        check_sources(write_sources(tmp_path, text=(str(tmp_path / "missing.txt"),)), needs_pairs=True)


def test_transcripts_are_seen(tmp_path: Path) -> None:
    assert has_transcripts(write_other(tmp_path, "some", "", "said"))
    assert not has_transcripts(write_other(tmp_path, "none", " "))
    assert not has_transcripts(tiny.write_corpus(tmp_path / "bare", 2, texts=False))
