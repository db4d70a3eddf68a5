from pathlib import Path

import pytest
from hypothesis import given, settings

import importing
from sprachbund.data.importers.ljspeech import read_metadata
from sprachbund.errors import DataError

METADATA = (
    "LJ001-0001|Printed in 1885, |Printed in eighteen eighty-five,\r\nLJ001-0002|plain|plain\nLJ001-0003|two fields\n"
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    importing.write_wav(tmp_path / "LJ" / "wavs" / "LJ001-0001.wav", rate=22_050)
    importing.write_wav(tmp_path / "LJ" / "wavs" / "LJ001-0002.wav", rate=22_050)
    importing.write_wav(tmp_path / "LJ" / "wavs" / "LJ001-0003.flac", rate=22_050)
    return importing.write_files(tmp_path / "LJ", {"metadata.csv": METADATA})


def test_the_normalised_text_counts_and_the_other_is_kept(corpus: Path, tmp_path: Path) -> None:
    cuts = importing.imported("ljspeech", corpus, tmp_path / "out", language="en")
    assert importing.texts(cuts) == {
        "LJ001-0001": "Printed in eighteen eighty-five,",
        "LJ001-0002": "plain",
        "LJ001-0003": "two fields",
    }
    assert cuts["LJ001-0001"].custom == {"raw_text": "Printed in 1885, "}
    assert cuts["LJ001-0002"].custom is None
    assert cuts["LJ001-0001"].sampling_rate == 22_050
    assert importing.imported("ljspeech", corpus / "metadata.csv", tmp_path / "out").keys() == cuts.keys()


def test_a_missing_recording_is_counted(corpus: Path, tmp_path: Path) -> None:
    (corpus / "wavs" / "LJ001-0002.wav").unlink()
    [report] = importing.run("ljspeech", corpus, tmp_path / "out")
    assert report.counts.startswith("2 clips")
    assert report.notes == (f"left out: 1 without a recording ({corpus}/wavs/LJ001-0002.wav)",)


@pytest.mark.parametrize("line", ["LJ001-0004", "|a text|a text", "a|b|c|d"])
def test_malformed_lines(corpus: Path, tmp_path: Path, line: str) -> None:
    importing.write_files(corpus, {"metadata.csv": f"{METADATA}{line}\n"})
    with pytest.raises(DataError, match=r"the line is not 'id\|text' .*metadata.csv, line 4"):
        importing.run("ljspeech", corpus, tmp_path / "out")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lj")


@settings(deadline=None, max_examples=60)
@given(content=importing.contents("LJ1", "|", "hello", "\n"))
def test_any_metadata_gives_utterances_or_an_error_of_ours(place: Path, content: bytes) -> None:
    (place / "metadata.csv").write_bytes(content)
    importing.items_or_error(lambda: read_metadata(place / "metadata.csv"))
