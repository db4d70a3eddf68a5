import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import tiny
from commands import assert_refused, run_command
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.serving.load import load
from sprachbund.signal.audio import write_audio


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights that say something."""
    folder = tmp_path_factory.mktemp("models") / "model"
    chatty = tiny.tiny_model(2, share_ctc_embeddings=False)
    with torch.no_grad():
        chatty.ctc_head.weight.copy_(torch.randn(chatty.ctc_head.weight.shape, generator=torch.manual_seed(0)))
    config = to_mapping(chatty.config)
    save_model(folder, StoredModel("speecht5", config, chatty.state_dict(), tiny.character_tokenizer()))
    return folder


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
    monkeypatch.setattr("sprachbund.cli.transcribe.AT_ONCE", 2)
    assert run_command("transcribe", model, recordings).out == whole
    assert len(whole.splitlines()) == 3


def test_json_tells_score_and_blank_rate(model: Path, recordings: Path):
    outcome = run_command("transcribe", model, recordings / "0.wav", "--json")
    assert outcome.code == 0, outcome.err
    (transcript,) = load(model).transcribe_many([recordings / "0.wav"])
    assert json.loads(outcome.out) == {
        "file": str(recordings / "0.wav"),
        "text": transcript.text,
        "score": transcript.score,
        "blank_rate": transcript.blank_rate,
    }


def test_the_decoder_can_be_chosen(model: Path, recordings: Path):
    arguments = ("transcribe", model, recordings / "0.wav", "--json", "--threads", torch.get_num_threads())
    outcome = run_command(*arguments, "--decoder", "attention", "--beam", 2, "--batch-seconds", 5)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["score"] != json.loads(run_command(*arguments).out)["score"]


def test_stereo_at_48_khz_is_read(model: Path, tmp_path: Path):
    sound = tiny.tone(48_000)
    soundfile.write(tmp_path / "stereo.flac", np.stack([sound, -0.5 * sound], axis=1), 48_000)
    outcome = run_command("transcribe", model, tmp_path / "stereo.flac")
    assert (outcome.code, outcome.err) == (0, "")


def test_less_than_a_frame_gives_an_empty_line(model: Path, tmp_path: Path):
    write_audio(tmp_path / "click.wav", tiny.tone(100))
    assert run_command("transcribe", model, tmp_path / "click.wav").out == "\n"


def test_one_bad_recording_is_named(model: Path, recordings: Path):
    (recordings / "3.wav").write_text("this is text")
    assert_refused(run_command("transcribe", model, recordings), "3.wav")
    assert_refused(run_command("transcribe", model, recordings / "4.wav"), "no such file", "4.wav")
