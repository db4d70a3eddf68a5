import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

import tiny
from commands import Outcome, assert_refused, fingerprints, run_command
from sprachbund.checkpoints.store import load_model
from sprachbund.config import dump_yaml
from sprachbund.data.batches.collate import TranscribedCollator
from sprachbund.training.checkpointing import list_checkpoints


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with its data and initial model, and a finished run of it."""
    folder = tmp_path_factory.mktemp("finetune")
    init = tiny.write_model_folder(folder / "initial")
    recipe = tiny.recognition_recipe(folder / "data", init, steps=2, checkpoint_every=1, validate_every=2)
    (folder / "recipe.yaml").write_text(dump_yaml(recipe))
    outcome = run_command("finetune", folder / "recipe.yaml", "--out", folder / "run")
    assert outcome.code == 0, outcome.err
    assert outcome.out == f"model folder: {folder / 'run' / 'model'}\n"
    return folder


def test_the_model_transcribes(workplace: Path):
    stored = load_model(workplace / "run" / "model")
    assert (stored.facts["stage"], stored.facts["steps"]) == ("recognition", 2)
    clip = workplace / "data" / "transcribed" / "audio" / "train-000.wav"
    assert run_command("transcribe", workplace / "run" / "model", clip).code == 0


def test_a_run_is_not_overwritten(workplace: Path):
    before = fingerprints(workplace)
    outcome = run_command("finetune", workplace / "recipe.yaml", "--out", workplace / "run")
    assert_refused(outcome, "holds a run already", "--resume", "--out")
    assert fingerprints(workplace) == before


def test_another_recipe_does_not_resume_a_run(workplace: Path):
    before = fingerprints(workplace)
    arguments = ("finetune", workplace / "recipe.yaml", "run.seed=77", "--resume", "--out", workplace / "run")
    assert_refused(run_command(*arguments), "made by another recipe", "different: run")
    assert fingerprints(workplace) == before


def test_a_longer_run_goes_on_from_the_newest_checkpoint(workplace: Path, tmp_path: Path):
    shutil.copytree(workplace / "run", tmp_path / "run")
    outcome = run_command("finetune", workplace / "recipe.yaml", "run.steps=3", "--resume", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert [path.name for path in list_checkpoints(tmp_path / "run" / "checkpoints")] == [
        "step-00000003.ckpt", "step-00000002.ckpt",
    ]  # fmt: skip
    assert load_model(tmp_path / "run" / "model").facts["steps"] == 3


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Lightning leaves Ctrl-C switched off."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupted_run_goes_on(workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    collate = TranscribedCollator.__call__

    def interrupt(self: TranscribedCollator, cuts: Any, draw: int) -> Any:
        if draw == 2:  # fetched ahead, when the first step is done
            raise KeyboardInterrupt
        return collate(self, cuts, draw)

    arguments = ("finetune", workplace / "recipe.yaml", "--out", tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(TranscribedCollator, "__call__", interrupt)
        outcome = run_command(*arguments)
    assert outcome.code == 130
    assert outcome.err.endswith(
        "sprachbund: interrupted; what was finished is kept, and the same command with --resume goes on from there.\n"
    )
    assert "Traceback" not in outcome.err
    assert [path.name for path in list_checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000001.ckpt"]
    assert not (tmp_path / "run" / "model").exists()
    assert run_command(*arguments, "--resume").code == 0
    ours, theirs = load_model(tmp_path / "run" / "model"), load_model(workplace / "run" / "model")
    assert all((ours.weights[name] == theirs.weights[name]).all() for name in theirs.weights)


def assert_told(outcome: Outcome, *words: str) -> None:
    """Refused, perhaps after words about the data."""
    *_, last = outcome.err.splitlines()
    assert_refused(Outcome(outcome.code, outcome.out, f"{last}\n"), *words)
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_recording_in_the_corpus_is_named(tmp_path: Path, workers: int):
    """In the process that collates, which may be another one."""
    recipe = tiny.recognition_recipe(tmp_path / "data", steps=2, loader_workers=workers)
    (tmp_path / "recipe.yaml").write_text(dump_yaml(recipe))
    for number in range(8):
        (tmp_path / "data" / "transcribed" / "audio" / f"train-{number:03d}.wav").write_text("this is text")
    outcome = run_command("finetune", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert_told(outcome, "Not a recording", "train-00", "Give a wav")
    assert not (tmp_path / "run" / "model").exists()


def test_a_failure_while_the_model_is_written_leaves_none(
    workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: Any, **__: Any) -> NoReturn:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.torch.save", full)
        outcome = run_command("finetune", workplace / "recipe.yaml", "--out", tmp_path / "run")
    assert_told(outcome, "No space left on device")
    assert sorted(path.name for path in (tmp_path / "run").iterdir() if path.name.startswith((".", "model"))) == []
    assert run_command("finetune", workplace / "recipe.yaml", "--resume", "--out", tmp_path / "run").code == 0


def test_an_encoder_is_pretrained_fine_tuned_by_ctc_and_decoded(tmp_path: Path):
    """The whole way of an encoder alone, by its commands."""
    pretraining = tiny.encoder_recipe(tmp_path / "units", steps=2, checkpoint_every=2, validate_every=2)
    (tmp_path / "encoder.yaml").write_text(dump_yaml(pretraining))
    done = run_command("pretrain", tmp_path / "encoder.yaml", "--out", tmp_path / "encoder")
    assert done.code == 0, done.err
    encoder = tmp_path / "encoder" / "model"
    refused = run_command("transcribe", encoder, tmp_path / "units" / "speech" / "audio" / "train-000.wav")
    assert_refused(refused, "does not transcribe", "sprachbund finetune")
    tiny.character_tokenizer().save(tmp_path / "tokenizer")
    tuning = tiny.recognition_recipe(tmp_path / "text", encoder, steps=2, checkpoint_every=2, validate_every=2)
    (tmp_path / "asr.yaml").write_text(dump_yaml(tuning))
    arguments = ("finetune", tmp_path / "asr.yaml", "--out", tmp_path / "asr")
    assert_refused(run_command(*arguments), "the weights know no text", "tokenizer")
    arguments = (*arguments, f"tokenizer={tmp_path / 'tokenizer'}")
    assert_refused(run_command(*arguments), "no text decoder", "objective.decoder_weight to 0")
    done = run_command(*arguments, "objective.decoder_weight=0")
    assert done.code == 0, done.err
    assert done.out == f"model folder: {tmp_path / 'asr' / 'model'}\n"
    model, clips = tmp_path / "asr" / "model", tmp_path / "text" / "transcribed"
    assert load_model(model).facts["targets"] == "units"  # what the encoder learned by is remembered
    heard = run_command("transcribe", model, clips / "audio" / "train-000.wav")
    assert (heard.code, heard.out.count("\n")) == (0, 1)
    figures = run_command("evaluate", model, clips / "valid.jsonl.gz")
    assert figures.code == 0, figures.err
    assert "word error rate" in figures.out
    for verb, place in (("transcribe", clips / "audio" / "train-000.wav"), ("evaluate", clips / "valid.jsonl.gz")):
        assert_refused(run_command(verb, model, place, "--decoder", "attention"), "no text decoder", "--decoder ctc")
