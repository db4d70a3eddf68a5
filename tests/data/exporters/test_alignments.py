from pathlib import Path

import pytest
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

import tiny
from sprachbund.data.exporters.alignments import aligned_cuts, told
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError


def test_times_count_from_the_start_of_the_cut(tmp_path: Path) -> None:
    first, second = read_cuts(tiny.write_corpus(tmp_path, 2, samples=[16_000, 16_000]))
    items = {"phone": [AlignmentItem("AH", 0.2, 0.2), AlignmentItem("S", 0.4, 0.2)]}
    said = fastcopy(first.supervisions[0], alignment=items, custom={"alignment_start": 0.0})
    part = fastcopy(first, supervisions=[said]).truncate(offset=0.3, preserve_id=True)
    write_cuts([part, second], tmp_path / "aligned.jsonl")
    (cut,), num_others = aligned_cuts([tmp_path / "aligned.jsonl"])
    assert num_others == 1
    assert [(item.symbol, item.start, item.end) for item in cut.tiers["phone"]] == [("AH", 0.0, 0.1), ("S", 0.1, 0.3)]
    assert cut.tiers["word"] == []
    assert told("TextGrids", 1, 1) == "TextGrids of 1 cuts; 1 cuts have no alignment"


def test_one_manifest_with_an_alignment_is_wanted(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 2)
    with pytest.raises(DataError, match="no cut has an alignment"):
        aligned_cuts([manifest])
    with pytest.raises(DataError, match="of one manifest"):
        aligned_cuts([manifest, manifest])
