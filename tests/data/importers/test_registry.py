from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import importing
import tiny
from sprachbund.data.importers.registry import IMPORT_FORMATS
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import CorpusError, SprachbundError

NAMES = ["folder", "fairseq", "fairseq-text", "kaldi", "nemo", "ljspeech", "textgrid", "ctm", "lhotse", "huggingface"]


def test_the_formats() -> None:
    assert list(IMPORT_FORMATS) == NAMES
    assert all(row.name == name and row.description for name, row in IMPORT_FORMATS.items())


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"unknown format \(given: espnet\)\. Known formats: folder, fairseq, "):
        importing.run("espnet", tmp_path, tmp_path / "out")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    tiny.write_corpus(folder / "tiny", 1)
    importing.write_wav(folder / "source" / "a.wav")
    importing.write_wav(folder / "source" / "wavs" / "a.wav")
    return folder


FILES = ("transcripts.csv", "a.tsv", "a.km", "a.wrd", "a.idx", "a.bin", "wav.scp", "text", "a.json", "metadata.csv")
GRIDS = ("a.TextGrid", "a.ctm", "cuts.jsonl", "dict.txt", "dict.km.txt", "a.txt")
CONTENTS = importing.contents(
    "a", "a.wav", "\t", "8000", "/x\n", "\n", ",", "|", '{"audio_filepath":"a.wav"', ',"text":"b"}', "0 ", "1.5 "
)


@settings(deadline=None, max_examples=40)
@given(data=st.data())
@pytest.mark.parametrize("name", [name for name in NAMES if name != "huggingface"])
def test_any_source_gives_what_training_can_read_or_an_error_of_ours(
    place: Path, name: str, data: st.DataObject
) -> None:
    importing.write_files(place / "source", {file: data.draw(CONTENTS) for file in (*FILES, *GRIDS)})
    try:
        reports = importing.run(name, place / "source", place / "out", manifest=place / "tiny" / "clip.jsonl.gz")
    except SprachbundError as error:
        assert len(str(error)) > 10
        return
    for report in reports:
        if report.path.suffix == ".gz":
            assert len(read_cuts(report.path)) == int(report.counts.split(" ")[0])
