from pathlib import Path

import pytest
from hypothesis import given, settings

import importing
from sprachbund.data.importers.folder import read_folder
from sprachbund.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.wav", "deep/a.flac", "deep/c.WAV.wav", ".hidden.wav"):
        importing.write_wav(tmp_path / "speech" / name)
    return tmp_path / "speech"


def test_texts_beside_recordings(folder: Path, tmp_path: Path) -> None:
    importing.write_files(
        folder, {"b.txt": b"\xef\xbb\xbfhello\r\nthere\r\n", "deep/a.txt": " one two\n", "notes.txt": "x"}
    )
    [report] = importing.run("folder", folder, tmp_path / "out")
    assert report.counts == "2 clips, 0.02 minutes, 4 words"
    assert report.notes == ("left out: 1 without a text (deep/c.WAV)",)
    cuts = importing.imported("folder", folder, tmp_path / "out", language="en")
    assert importing.texts(cuts) == {"b": "hello there", "deep/a": "one two"}


def test_recordings_alone(folder: Path, tmp_path: Path) -> None:
    assert importing.texts(importing.imported("folder", folder, tmp_path / "out")) == {
        "b": None, "deep/a": None, "deep/c.WAV": None
    }  # fmt: skip


def test_splits_are_folders(folder: Path, tmp_path: Path) -> None:
    reports = importing.run("folder", folder, tmp_path / "out", splits=("deep",))
    assert [(report.split, report.path.name) for report in reports] == [("deep", "deep.jsonl.gz")]
    with pytest.raises(DataError, match=r"no such folder in .*shallow"):
        importing.run("folder", folder, tmp_path / "out", splits=("shallow",))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("transcripts.tsv", "b.wav\thello\n\ndeep/a\tone two\n"),
        ("transcripts.tsv", "client_id\tpath\tsentence\tvotes\nx\tb.wav\thello\t1\ny\tdeep/a\tone two\t2\n"),
        ("transcripts.csv", 'b.wav,hello\r\ndeep/a.flac,"one two"\r\n'),
        ("transcripts.csv", "text,file\nhello,b\none two,deep/a.flac\n"),
    ],
    ids=["tsv", "tsv with headings", "csv", "csv with headings"],
)
def test_tables(folder: Path, tmp_path: Path, name: str, content: str) -> None:
    importing.write_files(folder, {name: content})
    cuts = importing.imported("folder", folder, tmp_path / "out")
    assert importing.texts(cuts) == {"b": "hello", "deep/a": "one two"}
    assert [cut.supervisions[0].speaker for cut in cuts.values()] == (["x", "y"] if "client" in content else [None] * 2)


def test_a_cell_may_hold_commas_and_quotes(folder: Path, tmp_path: Path) -> None:
    importing.write_files(folder, {"transcripts.csv": 'b.wav,"hello, ""there"""\n'})
    assert importing.texts(importing.imported("folder", folder, tmp_path / "out")) == {"b": 'hello, "there"'}


def test_common_voice_keeps_its_recordings_in_clips(tmp_path: Path) -> None:
    importing.write_wav(tmp_path / "de" / "clips" / "x.wav")
    importing.write_files(tmp_path / "de", {"transcripts.tsv": "path\tsentence\nx.wav\thallo\n"})
    assert importing.texts(importing.imported("folder", tmp_path / "de", tmp_path / "out")) == {"x": "hallo"}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("transcripts.tsv", "b.wav hello\n", "too few columns in .*transcripts.tsv, line 1"),
        ("transcripts.tsv", "path\ttext\nb.wav\thello\nc.wav\n", "too few columns in .*line 3"),
        ("transcripts.csv", 'b.wav,"hello\n', "no csv: unexpected end of data in .*line 1"),
        ("transcripts.tsv", "b.wav\thello\nb.wav\tthere\n", "share an id in .*line 2"),
        ("transcripts.tsv", b"b.wav\tgr\xfc\xdf\n", "not UTF-8 in .*line 1"),
    ],
)
def test_malformed_tables(folder: Path, tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    importing.write_files(folder, {name: content})
    with pytest.raises(DataError, match=told):
        importing.run("folder", folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@settings(deadline=None, max_examples=60)
@given(content=importing.contents("path\ttext\n", "path,text\n", "a.wav", "\t", ",", "hello", '"'))
def test_any_table_gives_utterances_or_an_error_of_ours(place: Path, content: bytes) -> None:
    for name in ("transcripts.csv", "transcripts.tsv"):
        (place / name).write_bytes(content)
        importing.items_or_error(lambda: read_folder(place))
        (place / name).unlink()
