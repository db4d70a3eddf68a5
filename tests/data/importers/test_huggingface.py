import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import importing
import tiny
from sprachbund.data.importers.huggingface import read_rows
from sprachbund.data.importers.utterances import Request, Utterance
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError
from sprachbund.signal.audio import read_audio

datasets = pytest.importorskip("datasets")


def encoded(num_samples: int, kind: str = "FLAC") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, (tiny.tone(num_samples) * 32768).astype(np.int16), 16_000, format=kind)
    return buffer.getvalue()


def data_set(columns: dict[str, list[Any]], audio: str = "audio") -> Any:
    # Columns of plain records, so that the library has nothing to encode.
    made = datasets.Dataset.from_dict(columns)
    return made.cast_column(audio, datasets.Audio())


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


RECORDS = [
    {"bytes": encoded(8_000), "path": "one.flac"},
    {"bytes": encoded(4_000, "WAV"), "path": None},
    {"bytes": b"noise", "path": "three.wav"},
    None,
]


def test_a_saved_data_set(tmp_path: Path) -> None:
    texts = ["hello", "there", "bad", "gone"]
    rows = data_set({"audio": RECORDS, "sentence": texts, "speaker_id": [3, None, 1, 1]})
    splits = datasets.DatasetDict({"train": rows, "test": rows.select([1])})
    splits.save_to_disk(str(tmp_path / "saved"))
    train, test = importing.run("huggingface", tmp_path / "saved", tmp_path / "out", language="en")
    assert (train.split, test.split, train.counts) == ("train", "test", "2 clips, 0.01 minutes, 2 words")
    assert train.notes == (
        "left out: 1 whose recording cannot be read (train-0000002: Not a recording)",
        "left out: 1 without a recording (train-0000003)",
    )
    cuts = importing.imported("huggingface", tmp_path / "saved", tmp_path / "out", splits=("train",))
    assert importing.texts(cuts) == {"train-0000000": "hello", "train-0000001": "there"}
    assert [cut.supervisions[0].speaker for cut in cuts.values()] == ["3", None]
    for cut, record in zip(cuts.values(), RECORDS, strict=False):
        assert np.array_equal(read_waveform(cut), read_audio(record["bytes"]))
    names = sorted(path.name for path in (tmp_path / "out" / "recordings" / "train").iterdir())
    assert names == ["train-0000000.flac", "train-0000001.audio"]


def test_ids_and_columns_of_the_data_set(tmp_path: Path) -> None:
    rows = data_set({"speech": RECORDS[:2], "id": ["a/1", "a/2"], "words": ["x", "y"]}, audio="speech")
    rows.save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError, match=r"no column of texts .*\(given: speech, id, words\).*--text-column"):
        importing.run("huggingface", tmp_path / "saved", tmp_path / "out")
    with pytest.raises(DataError, match=r"no such column .*\(given: word\)\. There are: speech, id, words\."):
        importing.run("huggingface", tmp_path / "saved", tmp_path / "out", text_column="word")
    cuts = importing.imported("huggingface", tmp_path / "saved", tmp_path / "out", text_column="words")
    assert importing.texts(cuts) == {"a/1": "x", "a/2": "y"}


def test_speech_alone_and_files_that_stay_where_they_are(tmp_path: Path) -> None:
    wav = importing.write_wav(tmp_path / "a.wav")
    # Saved data sets hold their recordings; those of a hub's script may name files.
    rows = data_set({"audio": [{"bytes": None, "path": str(wav)}, {"bytes": None, "path": None}]})
    found = list(read_rows(rows, "all", Request(source="named", out=tmp_path)))
    assert [item.audio for item in found if isinstance(item, Utterance)] == [wav]
    assert found[0].text is None
    assert importing.notes(found) == [("without a recording", "all-0000001")]


def test_a_folder_of_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "parquet").mkdir()
    rows = data_set({"audio": RECORDS[:1], "text": ["hello"]})
    rows.cast_column("audio", datasets.Audio(decode=False)).to_parquet(str(tmp_path / "parquet" / "train.parquet"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        cuts = importing.imported("huggingface", tmp_path / "parquet", tmp_path / "out")
    assert importing.texts(cuts) == {"train-0000000": "hello"}


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the data set cannot be loaded in .*Give a folder that save_to_disk wrote"):
        importing.run("huggingface", tmp_path, tmp_path / "out")
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(str(tmp_path / "texts"))
    with pytest.raises(DataError, match=r"no column holds recordings .*\(given: text\)"):
        importing.run("huggingface", tmp_path / "texts", tmp_path / "out")
    (tmp_path / "texts" / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be loaded"):
        importing.run("huggingface", tmp_path / "texts", tmp_path / "out")
