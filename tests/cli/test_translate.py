import json
from pathlib import Path

import pytest

import tiny
import translated
from commands import assert_refused, fingerprints, run_command
from sprachbund.decoding.translation import translation_search
from sprachbund.serving.translating import load_translator
from sprachbund.signal.audio import write_audio


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return translated.write_translator(tmp_path_factory.mktemp("translate") / "model")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for number, suffix in enumerate(("wav", "flac")):
        write_audio(tmp_path / "clips" / f"{number}.{suffix}", tiny.tone(2000 + 1500 * number, number))
    return tmp_path / "clips"


def test_a_line_for_each_recording(model: Path, recordings: Path):
    outcome = run_command("translate", model, recordings, "--beam", 2)
    assert (outcome.code, outcome.err) == (0, "")
    translator, search = load_translator(model), translation_search(beam=2)
    paths = [recordings / "0.wav", recordings / "1.flac"]
    wanted = [translator.transcribe(path, search) for path in paths]
    assert outcome.out == "".join(f"{path}\t{text}\n" for path, text in zip(paths, wanted, strict=True))
    assert any(wanted)
    alone = run_command("translate", model, paths[1], "--beam", 2, "--batch-seconds", 1, "--threads", 1)
    assert (alone.code, alone.out) == (0, f"{wanted[1]}\n")


def test_the_length_penalty_is_used(model: Path, recordings: Path):
    scores = set()
    for penalty in (0, 1):
        options = ("--beam", 2, "--length-penalty", penalty, "--format", "json")
        told = json.loads(run_command("translate", model, recordings / "0.wav", *options).out)
        config = translation_search(beam=2, length_penalty=penalty)
        (wanted,) = load_translator(model).transcribe_many([recordings / "0.wav"], config)
        assert (told["text"], told["score"]) == (wanted.text, pytest.approx(wanted.score, rel=1e-4))
        scores.add(told["score"])
    assert len(scores) == 2


def test_files_for_each_recording_and_a_bad_one(model: Path, recordings: Path, tmp_path: Path):
    (recordings / "bad.wav").write_text("no sound")
    outcome = run_command("translate", model, recordings, "--beam", 1, "--out", tmp_path / "out")
    assert outcome.code == 2 and "1 of 3 recordings could not be translated" in outcome.err
    assert outcome.out == f"2 of 3 translations in {tmp_path / 'out'}\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.txt", "1.txt"]


def test_chunks_where_they_are_wanted(model: Path, tmp_path: Path):
    write_audio(tmp_path / "long.wav", tiny.tone(20_000))
    options = ("--beam", 1, "--vad", "none", "--chunk", 1, "--format", "json")
    outcome = run_command("translate", model, tmp_path / "long.wav", *options)
    assert outcome.code == 0 and "decoded in chunks" in outcome.err
    told = json.loads(outcome.out)
    assert [(part["start"], part["end"]) for part in told["chunks"]] == [(0.0, 1.0), (1.0, 1.25)]
    assert told["text"] == " ".join(part["text"] for part in told["chunks"] if part["text"])


def test_what_cannot_be_done_is_refused(model: Path, recordings: Path, tmp_path: Path):
    clip = recordings / "0.wav"
    before = fingerprints(tmp_path)
    out = ("--out", tmp_path / "out")
    assert_refused(run_command("translate", model, clip, *out, "--format", "srt"), "no such format", "text, json")
    assert_refused(run_command("translate", tmp_path, clip, *out), "not a model folder")
    assert_refused(run_command("translate", model, tmp_path / "none.wav", *out), "no such file")
    assert_refused(run_command("translate", model, clip, *out, "--length-penalty", "nan"), "length_penalty")
    assert fingerprints(tmp_path) == before
    recognizer = tiny.write_model_folder(tmp_path / "recognizer")
    assert_refused(run_command("translate", recognizer, clip), "does not translate", "task translation")
