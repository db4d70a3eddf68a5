import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import tiny
from commands import assert_refused, run_command
from recognizers import write_language_model, write_lexicon, write_recognizer
from sprachbund.decoding.recognition.config import DecodingConfig, FusedModel
from sprachbund.serving.load import load
from sprachbund.serving.settings import write_settings
from sprachbund.signal.audio import write_audio


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that say something."""
    return write_recognizer(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    (tmp_path / "clips").mkdir()
    for number, suffix in enumerate(("wav", "flac", "ogg")):
        write_audio(tmp_path / "clips" / f"{number}.{suffix}", tiny.tone(6000 + 4000 * number, number))
    return tmp_path / "clips"


def test_one_recording_gives_its_text_alone(model: Path, recordings: Path):
    outcome = run_command("transcribe", model, recordings / "1.flac")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == load(model).transcribe(recordings / "1.flac") + "\n"
    assert outcome.out.strip()


def test_several_give_a_line_each_in_the_order_given(model: Path, recordings: Path):
    outcome = run_command("transcribe", model, recordings / "2.ogg", recordings)
    assert outcome.code == 0, outcome.err
    lines = [line.split("\t") for line in outcome.out.splitlines()]
    paths = [recordings / "2.ogg", *(recordings / name for name in ("0.wav", "1.flac", "2.ogg"))]
    assert [name for name, _ in lines] == [str(path) for path in paths]
    assert [text for _, text in lines] == [load(model).transcribe(path) for path in paths]


def test_groups_change_nothing(model: Path, recordings: Path, monkeypatch: pytest.MonkeyPatch):
    whole = run_command("transcribe", model, recordings).out
    monkeypatch.setattr("sprachbund.serving.transcribing.AT_ONCE", 2)
    assert run_command("transcribe", model, recordings).out == whole
    assert len(whole.splitlines()) == 3


def test_json_tells_score_and_blank_rate(model: Path, recordings: Path):
    outcome = run_command("transcribe", model, recordings / "0.wav", "--format", "json")
    assert outcome.code == 0, outcome.err
    (transcript,) = load(model).transcribe_many([recordings / "0.wav"])
    assert json.loads(outcome.out) == {
        "file": str(recordings / "0.wav"),
        "text": transcript.text,
        "score": transcript.score,
        "blank_rate": transcript.blank_rate,
    }


def test_json_tells_words_and_alternatives_where_they_are_asked_for(model: Path, recordings: Path):
    options = ("--format", "json", "--timestamps", "--num-best", 2, "--decoder", "ctc-beam", "--beam", 4)
    outcome = run_command("transcribe", model, recordings / "2.ogg", *options)
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert [word["word"] for word in told["words"]] == told["text"].split()
    assert told["alternatives"][0]["text"] == told["text"]
    assert len(told["alternatives"]) == 2
    assert 0 <= told["confidence"] <= 1


def test_the_decoder_can_be_chosen(model: Path, recordings: Path):
    arguments = ("transcribe", model, recordings / "0.wav", "--format", "json", "--threads", torch.get_num_threads())
    outcome = run_command(*arguments, "--decoder", "attention", "--beam", 2, "--batch-seconds", 5)
    assert outcome.code == 0, outcome.err
    config = DecodingConfig(method="attention", beam=2)
    (wanted,) = load(model).transcribe_many([recordings / "0.wav"], config)
    assert json.loads(outcome.out)["score"] == pytest.approx(wanted.score, rel=1e-4)


def test_language_models_and_settings_are_used(model: Path, recordings: Path, tmp_path: Path):
    lm, words = write_language_model(tmp_path / "lm"), write_lexicon(tmp_path / "words.txt")
    options = ("--decoder", "joint", "--beam", 3, "--lm", lm, "--lm-weight", 0.6, "--lexicon", words)
    outcome = run_command("transcribe", model, recordings, *options)
    assert outcome.code == 0, outcome.err
    said = {word for line in outcome.out.splitlines() for word in line.split("\t")[1].split()}
    assert said and said <= {"bad", "cab", "a", "deed", "ace", "fed"}
    models = (FusedModel(path=str(lm), weight=0.6),)
    config = DecodingConfig(method="joint", beam=3, language_models=models, lexicon=str(words))
    write_settings(tmp_path / "decoding.json", config, {})
    assert run_command("transcribe", model, recordings, "--settings", tmp_path / "decoding.json") == outcome


def test_subtitles_are_a_file_for_each_recording(model: Path, recordings: Path, tmp_path: Path):
    (recordings / "bad.wav").write_text("no sound")
    outcome = run_command("transcribe", model, recordings, "--format", "srt", "--out", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.out == f"3 of 4 transcripts in {tmp_path / 'out'}\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.srt", "1.srt", "2.srt"]
    alone = run_command("transcribe", model, recordings / "2.ogg", "--format", "srt")
    assert (alone.code, alone.out) == (0, (tmp_path / "out" / "2.srt").read_text())
    assert " --> " in alone.out
    plain = run_command("transcribe", model, recordings / "2.ogg", "--out", tmp_path / "text")
    assert plain.code == 0
    assert (tmp_path / "text" / "2.txt").read_text() == run_command("transcribe", model, recordings / "2.ogg").out


def test_recordings_are_decoded_in_chunks_where_that_is_wanted_and_told(model: Path, recordings: Path):
    path = recordings / "2.ogg"
    whole = run_command("transcribe", model, path)
    windows = run_command("transcribe", model, path, "--vad", "none", "--chunk", 1)
    assert (windows.code, windows.err.count("\n")) == (0, 1)
    assert "2.ogg: 0.0 minutes, decoded in chunks" in windows.err
    assert run_command("transcribe", model, path, "--whole") == whole
    assert whole.err == ""
    for wrong, told in (
        (("--vad", "ears"), "nothing of this name finds pauses"),
        (("--whole", "--chunk", 5), "whole or in chunks"),
        (("--format", "docx"), "no such format"),
        (("--num-best", 2), "decoder ctc has no use for num_best"),
    ):
        assert_refused(run_command("transcribe", model, path, *wrong), told)


def test_stereo_at_48_khz_is_read(model: Path, tmp_path: Path):
    sound = tiny.tone(48_000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([sound, -0.5 * sound], axis=1), 48_000)
    outcome = run_command("transcribe", model, tmp_path / "stereo.flac")
    assert (outcome.code, outcome.err) == (0, "")


def test_less_than_a_frame_gives_an_empty_line(model: Path, tmp_path: Path):
    write_audio(tmp_path / "click.wav", tiny.tone(100))
    assert run_command("transcribe", model, tmp_path / "click.wav").out == "\n"


def test_one_bad_recording_is_named_and_the_others_are_transcribed(model: Path, recordings: Path):
    sound = run_command("transcribe", model, recordings)
    for name in ("1a.wav", "3.wav"):
        (recordings / name).write_text("this is text")
    outcome = run_command("transcribe", model, recordings)
    assert (outcome.code, outcome.out) == (2, sound.out)
    lines = outcome.err.splitlines()
    assert all(line.startswith("sprachbund: ") for line in lines)
    assert ["1a.wav" in lines[0], "3.wav" in lines[1], "2 of 5 recordings could not" in lines[2]] == [True] * 3
    assert len(lines) == 3
    assert_refused(run_command("transcribe", model, recordings / "3.wav"), "3.wav", "Not a recording")
    assert_refused(run_command("transcribe", model, recordings / "4.wav"), "no such file", "4.wav")


def test_several_subtitles_need_a_folder(model: Path, recordings: Path):
    assert_refused(run_command("transcribe", model, recordings, "--format", "vtt"), "file for each recording", "--out")
