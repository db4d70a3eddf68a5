from pathlib import Path

import pytest
import torch

import tiny
from commands import assert_refused, run_command
from line_work import write_units
from sprachbund.cli.info import describe
from sprachbund.signal.audio import write_audio


def test_a_model_folder(tmp_path: Path):
    facts = describe(tiny.write_model_folder(tmp_path / "model"))
    parameters = sum(parameter.numel() for parameter in tiny.tiny_model().parameters())
    vocabulary = tiny.character_tokenizer().vocabulary
    assert facts["kind"] == "model folder, speecht5"
    assert facts["parameters"] == f"{parameters / 1e6:.1f} million"
    assert facts["vocabulary"] == f"{len(vocabulary)} symbols, {vocabulary.fingerprint()[:16]}"
    assert facts["stage"] == "recognition"


def test_a_manifest(tmp_path: Path):
    units = tiny.unit_model()
    plain, labelled = tiny.write_corpus(tmp_path, 3), tiny.write_corpus(tmp_path, 2, units=units, name="labelled")
    facts = describe(plain)
    assert (facts["kind"], facts["cuts"], facts["units"]) == ("manifest", 3, ["none"])
    assert facts["words"] == sum(len(text.split()) for text in tiny.TEXTS[:3])
    assert facts["minutes"] == f"{sum(tiny.clip_samples(3)) / 16_000 / 60:.2f}"
    assert describe(labelled)["units"] == [units.fingerprint[:16]]


def test_a_recording(tmp_path: Path):
    write_audio(tmp_path / "clip.flac", tiny.tone(12_000), 48_000)
    facts = describe(tmp_path / "clip.flac")
    assert facts == {"kind": "recording", "seconds": "0.250", "rate": "48000 Hz", "channels": 1}


def write_checkpoint(path: Path, step: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"global_step": step, "TrainingData": {"next_step": step, "cursors": {"speech": [2, 5]}}}, path)


def test_a_run_and_its_checkpoints(tmp_path: Path):
    run = tmp_path / "run"
    for step in (3, 6):
        write_checkpoint(run / "checkpoints" / f"step-{step:08d}.ckpt", step)
    newest = run / "checkpoints" / "step-00000006.ckpt"
    assert describe(newest) == {"kind": "training checkpoint", "steps": 6, "speech": "pass 2, batch 5"}
    content = newest.read_bytes()
    newest.write_bytes(content[: len(content) // 2])
    facts = describe(run)
    assert facts["kind"] == "run"
    assert "--resume" in facts["state"]
    assert list(facts)[2:] == ["step-00000006.ckpt", "step-00000003.ckpt"]
    assert "truncated" in facts["step-00000006.ckpt"]
    assert facts["step-00000003.ckpt"] == "sound"
    assert_refused(run_command("info", newest), "checkpoint cannot be used", "step-00000006.ckpt", "truncated")
    tiny.write_model_folder(run / "model")
    assert describe(run)["state"].startswith("finished")


def test_lines_are_printed(tmp_path: Path):
    write_audio(tmp_path / "clip.wav", tiny.tone(1600))
    outcome = run_command("info", tmp_path / "clip.wav")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0].split() == ["kind", "recording"]
    assert "seconds       0.100" in outcome.out


@pytest.mark.parametrize("name", ["nothing", "nothing.ckpt", "nothing.jsonl.gz", "nothing.wav", "folder"])
def test_what_is_missing_or_nothing_known(tmp_path: Path, name: str):
    (tmp_path / "folder").mkdir()
    assert_refused(run_command("info", tmp_path / name), name)


@pytest.mark.parametrize("cursors", [[1], {"speech": 3}, {"speech": (1, 2, 3)}, "x"])
def test_a_checkpoint_of_something_else_is_told(tmp_path: Path, cursors: object):
    torch.save({"global_step": 1, "TrainingData": {"cursors": cursors}}, tmp_path / "a.ckpt")
    assert_refused(run_command("info", tmp_path / "a.ckpt"), "not a checkpoint of a run", "a.ckpt")


def test_an_n_gram_model(tmp_path: Path):
    (tmp_path / "said.txt").write_text("the ship\nthe ship left\n")
    assert run_command("lm", "ngram", tmp_path / "said.txt", "--order", 2, "--out", tmp_path / "lm").code == 0
    facts = describe(tmp_path / "lm")
    assert (facts["kind"], facts["level"], facts["lines"], facts["words"]) == ("n-gram model", "words", 2, 5)
    assert facts["n-grams"] == "6 1-grams, 5 2-grams"
    assert run_command("lm", "export", tmp_path / "lm", tmp_path / "lm.arpa").code == 0
    assert describe(tmp_path / "lm.arpa")["n-grams"] == facts["n-grams"]


def test_a_line_store(tmp_path: Path):
    store = write_units(tmp_path / "store", [([1, 2], "ab"), ([3], "c")], fingerprint="f" * 64)
    facts = describe(store)
    assert (facts["kind"], facts["lines"]) == ("line store", 2)
    assert facts["units"] == f"3 ids of 6 units, fingerprint {'f' * 16}"
    assert facts["text"] == "3 bytes of text"
    (store / "units.ends").unlink()
    assert_refused(run_command("info", store), "lacks a file", "units")
