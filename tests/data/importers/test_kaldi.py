from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

import importing
from sprachbund.data.importers.kaldi import read_data
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import DataError
from sprachbund.signal.audio import read_audio


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, name in enumerate(("rec-a", "rec-b")):
        importing.write_wav(tmp_path / "wav" / f"{name}.wav", 16_000, seed=number)
    lists = {
        "wav.scp": f"rec-a ../../wav/rec-a.wav\nrec-b {tmp_path}/wav/rec-b.wav\n",
        "text": "rec-a hello there\nrec-b\tgood  bye\nrec-z nobody\n",
        "utt2spk": "rec-a anna\nrec-b bert\n",
        "spk2gender": "anna f\nbert m\n",
        "utt2lang": "rec-a en\n",
    }
    return importing.write_files(tmp_path / "data" / "train", lists)


def test_whole_recordings(data: Path, tmp_path: Path) -> None:
    [report] = importing.run("kaldi", data.parent, tmp_path / "out", language="de")
    assert (report.split, report.counts) == ("train", "2 clips, 0.03 minutes, 4 words")
    assert report.notes == ("left out: 1 texts without a recording (rec-z)",)
    cuts = importing.imported("kaldi", data, tmp_path / "out", language="de")
    assert importing.texts(cuts) == {"rec-a": "hello there", "rec-b": "good  bye"}
    told = [(said.speaker, said.gender, said.language) for said in (cut.supervisions[0] for cut in cuts.values())]
    assert told == [("anna", "f", "en"), ("bert", "m", "de")]


def test_segments(data: Path, tmp_path: Path) -> None:
    importing.write_files(
        data,
        {
            "segments": "a-1 rec-a 0.10 0.40\na-2 rec-a 0.4 -1\nb-1 rec-b 0 1.00 1\nb-2 rec-b 0.9 1.2\n",
            "text": "a-1 one\na-2 two\nb-1 three\nb-2 four\n",
            "utt2spk": "a-1 anna\na-2 anna\nb-1 bert\nb-2 bert\n",
        },
    )
    [report] = importing.run("kaldi", data, tmp_path / "out")
    assert report.notes == ("left out: 1 that end after their recording (b-2: 0.900 to 1.200 s of 1.000 s)",)
    cuts = importing.imported("kaldi", data, tmp_path / "out")
    assert importing.texts(cuts) == {"a-1": "one", "a-2": "two", "b-1": "three"}
    whole = read_audio(tmp_path / "wav" / "rec-a.wav")
    assert np.array_equal(read_waveform(cuts["a-1"]), whole[1600:6400])
    assert np.array_equal(read_waveform(cuts["a-2"]), whole[6400:])
    assert cuts["a-1"].recording.id == "rec-a"


def test_without_texts_there_are_recordings_alone(data: Path, tmp_path: Path) -> None:
    for name in ("text", "utt2spk", "spk2gender", "utt2lang"):
        (data / name).unlink()
    assert importing.texts(importing.imported("kaldi", data, tmp_path / "out")) == {"rec-a": None, "rec-b": None}


def test_commands_are_refused_and_not_run(data: Path, tmp_path: Path) -> None:
    importing.write_files(data, {"wav.scp": f"rec-a touch {tmp_path}/ran |\n"})
    with pytest.raises(DataError, match=r"commands are not run in .*wav.scp, line 1 .*touch"):
        importing.run("kaldi", data, tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("wav.scp", "rec-a a.ark:1234\n", "Kaldi archive in .*wav.scp, line 1"),
        ("wav.scp", "rec-a\n", "no file in .*wav.scp, line 1"),
        ("wav.scp", "rec-a a.wav\nrec-a b.wav\n", "'rec-a' is there twice in .*wav.scp, line 2"),
        ("text", b"rec-a \xff\n", "not UTF-8 in .*text, line 1"),
        ("segments", "a rec-a 0.1\n", "no segment in .*segments, line 1"),
        ("segments", "a rec-a nan 1\n", "the start is not a number"),
        ("segments", "a rec-a 0 1e999\n", "the end is not a number"),
        ("segments", "a rec-a 0.5 0.5\n", "ends before it starts in .*segments, line 1"),
        ("segments", "rec-a rec-q 0.1 0.5\n", "wav.scp does not have in .*segments, line 1"),
    ],
)
def test_malformed_lists(data: Path, tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    importing.write_files(data, {name: content})
    if name == "segments":
        (data / "text").unlink()
    with pytest.raises(DataError, match=told):
        importing.run("kaldi", data, tmp_path / "out")


def test_no_data_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing of this format"):
        importing.run("kaldi", tmp_path, tmp_path / "out")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kaldi")


LISTS = importing.contents("a ", "b ", "a.wav", "0 ", "1.5", "\n", "cat x |", "x.ark:3")


@settings(deadline=None, max_examples=60)
@given(recordings=LISTS, words=LISTS, segments=LISTS)
def test_any_lists_give_utterances_or_an_error_of_ours(
    place: Path, recordings: bytes, words: bytes, segments: bytes
) -> None:
    importing.write_files(place, {"wav.scp": recordings, "text": words, "segments": segments})
    importing.items_or_error(lambda: read_data(place))
    (place / "segments").unlink()
    importing.items_or_error(lambda: read_data(place))
