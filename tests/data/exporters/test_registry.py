from pathlib import Path

import pytest
from lhotse.supervision import AlignmentItem

import tiny
from sprachbund.data.exporters.registry import EXPORT_FORMATS, export_corpus
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import CorpusError


def test_every_format_writes_its_folder(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 3)
    cuts = list(read_cuts(manifest))
    cuts[1].supervisions[0].alignment = {"phone": [AlignmentItem("AH", 0.0, 0.1)]}
    write_cuts(cuts, manifest)
    assert list(EXPORT_FORMATS) == ["fairseq", "shar", "textgrid", "ctm"]
    told = {name: export_corpus(name, [manifest], tmp_path / name, shard_size=2) for name in EXPORT_FORMATS}
    assert told == {
        "fairseq": "clip: 3 recordings (texts)",
        "shar": "3 cuts in 2 shards (recording)",
        "textgrid": "TextGrids of 1 cuts; 2 cuts have no alignment",
        "ctm": "words and phones of 1 cuts; 2 cuts have no alignment",
    }
    assert [path.name for path in (tmp_path / "textgrid").iterdir()] == [f"{cuts[1].id}.TextGrid"]
    assert [path.name for path in (tmp_path / "ctm").iterdir()] == ["phones.ctm"]
    assert (tmp_path / "fairseq" / "clip.tsv").is_file()
    assert (tmp_path / "shar" / "cuts.000001.jsonl.gz").is_file()


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"unknown format \(given: kaldi\)\. Known formats: fairseq, shar, textgrid, ctm\."
    ):
        export_corpus("kaldi", [], tmp_path / "out")
