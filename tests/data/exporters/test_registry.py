from pathlib import Path

import pytest

import tiny
from sprachbund.data.exporters.registry import EXPORT_FORMATS, export_corpus
from sprachbund.errors import CorpusError


def test_every_format_writes_its_folder(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 3)
    assert list(EXPORT_FORMATS) == ["fairseq", "shar"]
    told = {name: export_corpus(name, [manifest], tmp_path / name, shard_size=2) for name in EXPORT_FORMATS}
    assert told == {"fairseq": "clip: 3 recordings (texts)", "shar": "3 cuts in 2 shards (recording)"}
    assert (tmp_path / "fairseq" / "clip.tsv").is_file()
    assert (tmp_path / "shar" / "cuts.000001.jsonl.gz").is_file()


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"unknown format \(given: kaldi\)\. Known formats: fairseq, shar\."):
        export_corpus("kaldi", [], tmp_path / "out")
