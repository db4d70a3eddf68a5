import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import importing
from sprachbund.data.importers.nemo import read_manifest
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError
from sprachbund.signal.audio import read_audio


def write(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def test_a_manifest(tmp_path: Path) -> None:
    for name in ("en/a.wav", "en/deep/b.wav"):
        importing.write_wav(tmp_path / "audio" / name, 16_000)
    manifest = write(
        tmp_path / "lists" / "train.json",
        {"audio_filepath": "../audio/en/a.wav", "duration": 0.99, "text": "hello", "speaker": 7, "lang": "en"},
        {"audio_filepath": str(tmp_path / "audio/en/deep/b.wav"), "duration": 0.25, "offset": 0.5, "text": "there"},
        {"audio_filepath": "../audio/en/deep/b.wav", "offset": 0.125, "text": "again"},
        {"audio_filepath": "../audio/en/a.wav"},
    )
    [report] = importing.run("nemo", manifest.parent, tmp_path / "out")
    assert (report.split, report.notes) == ("train", ("left out: 1 without a text (a)",))
    cuts = importing.imported("nemo", manifest, tmp_path / "out")
    assert importing.texts(cuts) == {"a": "hello", "deep/b-0000500-0000750": "there", "deep/b-0000125": "again"}
    assert (cuts["a"].duration, cuts["a"].supervisions[0].speaker, cuts["a"].supervisions[0].language) == (1, "7", "en")
    whole = read_audio(tmp_path / "audio/en/deep/b.wav")
    assert np.array_equal(read_waveform(cuts["deep/b-0000500-0000750"]), whole[8000:12000])
    assert np.array_equal(read_waveform(cuts["deep/b-0000125"]), whole[2000:])


def test_speech_without_texts(tmp_path: Path) -> None:
    importing.write_wav(tmp_path / "a.wav")
    manifest = write(tmp_path / "train.jsonl", {"audio_filepath": "a.wav", "duration": 0.5})
    assert importing.texts(importing.imported("nemo", manifest, tmp_path / "out")) == {"a": None}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "no JSON in .*train.json, line 2"),
        ("[" * 9000, "no JSON in .*train.json, line 2"),
        ('["a.wav"]', "no audio_filepath in .*line 2"),
        ('{"text": "hello"}', "no audio_filepath in .*line 2"),
        ('{"audio_filepath": 3}', "no audio_filepath in .*line 2"),
        ('{"audio_filepath": "a.wav", "duration": NaN, "text": "b"}', "the duration is not a number of at least 0"),
        ('{"audio_filepath": "a.wav", "duration": -1, "text": "b"}', "the duration is not a number of at least 0"),
        ('{"audio_filepath": "a.wav", "offset": 1e999, "text": "b"}', "the offset is not a number of at least 0"),
        ('{"audio_filepath": "a.wav", "offset": "0", "text": "b"}', "the offset is no number"),
        ('{"audio_filepath": "a.wav", "text": ["b"]}', "the value of text is no text in .*line 2"),
        ('{"audio_filepath": "a.wav", "offset": 0, "text": "\\ud83d"}', "half a character in .*line 2"),
        ('{"audio_filepath": "a.wav", "text": "b"}', "share an id in .*line 2"),
    ],
)
def test_malformed_lines(tmp_path: Path, line: str, told: str) -> None:
    importing.write_wav(tmp_path / "a.wav")
    importing.write_files(tmp_path, {"train.json": '{"audio_filepath": "a.wav", "text": "fine"}\n' + line + "\n"})
    with pytest.raises(DataError, match=told):
        importing.run("nemo", tmp_path / "train.json", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nemo")


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=1)
)
RECORDS = st.fixed_dictionaries(
    {"audio_filepath": st.sampled_from(["a.wav", "/a.wav", "../b", ".", "", "a\x00b", "x" * 300]) | VALUES},
    optional={"offset": VALUES, "duration": VALUES, "text": VALUES, "speaker": VALUES, "lang": VALUES},
)


@settings(deadline=None, max_examples=100)
@given(content=importing.contents('{"audio_filepath": ', '"a.wav"', "}", ',"text":"b"') | RECORDS.map(
    lambda record: json.dumps(record).encode()
))  # fmt: skip
def test_any_manifest_gives_utterances_or_an_error_of_ours(place: Path, content: bytes) -> None:
    path = place / "train.json"
    path.write_bytes(content)
    importing.items_or_error(lambda: read_manifest(path))
