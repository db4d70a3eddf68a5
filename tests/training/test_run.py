"""Real runs of a few steps, from recipe to model folder."""

import io
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.config import from_mapping, read_yaml
from sprachbund.data.mixture import Step
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.errors import AudioError, CheckpointError, DataError, RecipeError
from sprachbund.models.table import build_model
from sprachbund.training.checkpointing import checkpoint_path, list_checkpoints
from sprachbund.training.module import TrainingModule
from sprachbund.training.recipe import Recipe
from sprachbund.training.run import environment, train
from sprachbund.training.speech_recipes import PretrainingRecipe, RecognitionRecipe


@dataclass(frozen=True)
class Run:
    recipe: Recipe
    folder: Path
    said: str

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text("utf-8").splitlines()]

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return dict(load_model(self.folder / "model").weights)


def run(recipe: Recipe, folder: Path, *, resume: bool = False) -> Run:
    screen = Console(file=io.StringIO(), width=400)
    model = train(recipe, folder, resume=resume, console=screen)
    assert model == folder / "model"
    assert isinstance(screen.file, io.StringIO)
    return Run(recipe, folder, screen.file.getvalue())


def with_run(recipe: Recipe, **changes: Any) -> Recipe:
    return replace(recipe, run=replace(recipe.run, **changes))


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pretraining")
    recipe = from_mapping(PretrainingRecipe, tiny.pretraining_recipe(folder, accumulate=2), "test")
    return run(recipe, folder / "run")


@pytest.fixture(scope="module")
def recognition(pretraining: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("recognition")
    recipe = from_mapping(RecognitionRecipe, tiny.recognition_recipe(folder, pretraining.folder / "model"), "test")
    return run(recipe, folder / "run")


@pytest.fixture(params=["pretraining", "recognition"])
def finished(request: pytest.FixtureRequest) -> Run:
    done = request.getfixturevalue(request.param)
    assert isinstance(done, Run)
    return done


def same_weights(one: Run, other: Run) -> bool:
    left, right = one.weights, other.weights
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def lines_by_place(done: Run) -> dict[tuple[int, str], dict[str, Any]]:
    """The log without what depends on the clock; every step must be there once a split."""
    places = [(line["step"], line["split"]) for line in done.metrics]
    assert len(set(places)) == len(places)
    return {
        place: {name: value for name, value in line.items() if name != "audio_seconds_per_second"}
        for place, line in zip(places, done.metrics, strict=True)
    }


def test_a_run_leaves_all_that_tells_of_it(finished: Run) -> None:
    folder = finished.folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoints",
        "data.json",
        "environment.json",
        "metrics.jsonl",
        "model",
        "recipe.yaml",
        "tensorboard",
    ]
    assert from_mapping(type(finished.recipe), read_yaml(folder / "recipe.yaml"), "test") == finished.recipe
    assert (folder / "model" / "recipe.yaml").read_text() == (folder / "recipe.yaml").read_text()
    told = json.loads((folder / "environment.json").read_text())
    assert told["packages"]["torch"].startswith(torch.__version__.partition("+")[0])
    assert {"python", "platform", "threads", "packages"} == set(told) == set(environment())
    data = json.loads((folder / "data.json").read_text())
    assert finished.recipe.speech is not None
    files = [*finished.recipe.speech.train, *finished.recipe.speech.valid]
    assert {path: file_fingerprint(Path(path)) for path in files}.items() <= data["files"].items()
    assert data["vocabulary"] == tiny.character_tokenizer().vocabulary.fingerprint()
    assert list_checkpoints(folder / "checkpoints") == [checkpoint_path(folder / "checkpoints", n) for n in (6, 3)]


def test_the_figures_of_pretraining(pretraining: Run) -> None:
    lines = lines_by_place(pretraining)
    assert list(lines) == [(step, "train") for step in (1, 2, 3)] + [(3, "valid")] + [
        (step, "train") for step in (4, 5, 6)
    ] + [(6, "valid")]
    both = {
        "loss",
        "loss/speech/masked_units",
        "loss/speech/spectrogram",
        "loss/speech/stop",
        "loss/speech/feature_penalty",
        "loss/speech/diversity",
        "speech/masked_accuracy",
        "speech/unmasked_accuracy",
        "speech/codebook_perplexity",
        "speech/code_perplexity",
    }
    for line in pretraining.metrics:
        assert both <= set(line)
        assert all(math.isfinite(value) for value in line.values() if isinstance(value, float))
        if line["split"] == "train":
            more = {"loss/text/text", "text/token_accuracy", "gradient_norm", "learning_rate"}
            assert more | {"audio_seconds_per_second"} <= set(line)
            assert line["audio_seconds_per_second"] > 0
    # The chosen rule of the rate: tri-stage over 20 steps, two of them to warm up.
    rates = [line["learning_rate"] for place, line in lines.items() if place[1] == "train"]
    assert rates == pytest.approx([1e-5, 5.05e-4, 1e-3, 1e-3, 1e-3, 1e-3])
    assert "step 3: held out loss" in pretraining.said
    assert "8 clips bring no speaker vector" in pretraining.said


def test_the_figures_of_recognition(recognition: Run) -> None:
    for line in recognition.metrics:
        assert {"loss", "loss/decoder", "loss/ctc", "token_accuracy"} <= set(line)
        if line["split"] == "valid":
            assert {"wer", "cer", "blank_rate"} <= set(line)
            assert 0 <= line["blank_rate"] <= 1
        else:
            assert {"gradient_norm", "learning_rate", "audio_seconds_per_second"} <= set(line)
    # Validation shows what was said and what was heard.
    assert recognition.said.count("  said  ab\n  heard ") == 2
    assert recognition.said.count("  said  ba c\n  heard ") == 2


def test_the_result_is_a_model_that_transcribes(recognition: Run, pretraining: Run) -> None:
    stored = load_model(recognition.folder / "model")
    assert stored.facts["stage"] == "recognition"
    assert stored.facts["steps"] == 6
    assert stored.facts["unit_model"] == tiny.unit_model().fingerprint  # what was before is not forgotten
    assert stored.facts["init"] == str(pretraining.folder / "model")
    assert "sprachbund transcribe" in stored.card
    model = build_model(stored, "test")
    [transcript] = Recognizer(model, stored.tokenizer).transcribe_waveforms([tiny.tone(8_000)])
    assert transcript.num_frames == 24
    # It has learned: from the weights it began with, and all of the shared parts.
    begin, end = pretraining.weights, recognition.weights
    changed = {name for name in end if not torch.equal(begin[name], end[name])}
    assert {"ctc_head.weight", "text_prenet.embedding.weight"} <= changed
    assert any(name.startswith("encoder.") for name in changed)
    assert any(name.startswith("speech_prenet.") for name in changed)
    # The spectrogram decoder was not asked.
    assert not any(name.startswith("spectrogram_") for name in changed)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_same_recipe_gives_the_same_weights(
    pretraining: Run, recognition: Run, tmp_path: Path, workers: int
) -> None:
    """Whatever was drawn before, and with a loader worker as without."""
    finished = pretraining if workers else recognition
    torch.manual_seed(12345)
    again = run(with_run(finished.recipe, loader_workers=workers), tmp_path / "again")
    assert same_weights(again, finished)
    assert lines_by_place(again) == lines_by_place(finished)


class PowerCutError(Exception):
    """Ends a run in its middle."""


def kill_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual: Callable[[TrainingModule, Step, int], None] = TrainingModule.training_step

    def training_step(self: TrainingModule, batch: Step, batch_idx: int) -> None:
        if batch.number == step:
            raise PowerCutError
        usual(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", training_step)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(PowerCutError):
        kill_at(5, patch)
        run(finished.recipe, folder)
    assert not (folder / "model").exists()
    log = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert log == [1, 2, 3, 3, 4, 5]
    resumed = run(finished.recipe, folder, resume=True)
    assert same_weights(resumed, finished)
    assert lines_by_place(resumed) == lines_by_place(finished)
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_run_may_be_made_longer(recognition: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = run(with_run(recognition.recipe, steps=3), folder)
    assert not same_weights(first, recognition)
    assert same_weights(run(recognition.recipe, folder, resume=True), recognition)


def test_resuming_a_finished_run_trains_no_more(recognition: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    shutil.rmtree(folder / "model")
    again = run(recognition.recipe, folder, resume=True)
    assert same_weights(again, recognition)
    assert again.metrics == recognition.metrics


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [truncate, flip])
def test_a_damaged_checkpoint_is_passed_over(recognition: Run, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    newest, older = list_checkpoints(folder / "checkpoints")
    harm(newest)
    resumed = run(recognition.recipe, folder, resume=True)
    assert f"{newest} is refused" in resumed.said
    assert "the checkpoint before it is used" in resumed.said
    assert str(older) not in resumed.said
    assert same_weights(resumed, recognition)
    assert lines_by_place(resumed) == lines_by_place(recognition)


def test_a_run_without_a_sound_checkpoint_is_refused(recognition: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    for path in list_checkpoints(folder / "checkpoints"):
        truncate(path)
    with pytest.raises(CheckpointError, match="no checkpoint of this run is sound"):
        run(recognition.recipe, folder, resume=True)


def test_code_in_a_checkpoint_is_not_executed(recognition: Run, tmp_path: Path) -> None:
    folder, mark = shutil.copytree(recognition.folder, tmp_path / "run"), tmp_path / "executed"
    newest, older = list_checkpoints(folder / "checkpoints")
    torch.save({"state_dict": tiny.Trap(f"touch {mark}")}, newest)
    older.unlink()
    with pytest.raises(CheckpointError):
        run(recognition.recipe, folder, resume=True)
    assert not mark.exists()


def test_a_used_folder_is_not_used_again(recognition: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(RecipeError, match="holds a run already") as caught:
        run(recognition.recipe, folder)
    assert "--resume" in str(caught.value)
    other = replace(recognition.recipe, optimization=replace(recognition.recipe.optimization, clip_norm=1.0))
    with pytest.raises(RecipeError, match="another recipe") as caught:
        run(other, folder, resume=True)
    assert "optimization" in str(caught.value)
    with pytest.raises(RecipeError, match="another recipe"):
        run(with_run(recognition.recipe, seed=99), folder, resume=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_recipe_of_another_task_cannot_resume(recognition: Run, pretraining: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    with pytest.raises(RecipeError):
        run(pretraining.recipe, folder, resume=True)


def test_the_log_of_a_run_that_died_before_its_first_checkpoint_is_dropped(
    recognition: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(PowerCutError):
        kill_at(2, patch)
        run(recognition.recipe, folder)
    # Nothing is there to go on from, and so nothing is mixed up: with and without --resume it begins anew.
    assert same_weights(again := run(recognition.recipe, folder, resume=True), recognition)
    assert lines_by_place(again) == lines_by_place(recognition)


def test_a_run_without_held_out_data(recognition: Run, tmp_path: Path) -> None:
    assert recognition.recipe.speech is not None
    recipe = replace(recognition.recipe, speech=replace(recognition.recipe.speech, valid=()))
    done = run(with_run(recipe, steps=2), tmp_path / "run")
    assert [(line["step"], line["split"]) for line in done.metrics] == [(1, "train"), (2, "train")]
    assert "held out" not in done.said


def test_missing_data_leaves_no_run_behind(recognition: Run, tmp_path: Path) -> None:
    assert recognition.recipe.speech is not None
    speech = replace(recognition.recipe.speech, train=(str(tmp_path / "missing.jsonl.gz"),))
    with pytest.raises(DataError, match="does not exist"):
        run(replace(recognition.recipe, speech=speech), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recording_that_is_gone_is_told(recognition: Run, tmp_path: Path) -> None:
    """In the middle of a run, and in the same words when a loader worker finds it."""
    assert recognition.recipe.speech is not None
    manifest = tiny.write_corpus(tmp_path / "gone", 4, name="gone")
    (tmp_path / "gone" / "audio" / "gone-002.wav").unlink()
    recipe = replace(recognition.recipe, speech=replace(recognition.recipe.speech, train=(str(manifest),)))
    sentences = []
    for workers in (0, 1):
        with pytest.raises(AudioError, match=r"gone-002\.wav") as caught:
            run(with_run(recipe, loader_workers=workers), tmp_path / f"run-{workers}")
        sentences.append(str(caught.value))
    assert sentences[0] == sentences[1]


def test_a_run_does_not_go_on_with_other_data(recognition: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    facts = json.loads((folder / "data.json").read_text())
    first = next(iter(facts["files"]))
    (folder / "data.json").write_text(json.dumps({**facts, "files": {**facts["files"], first: "another"}}))
    with pytest.raises(RecipeError, match="the data of this run has changed") as caught:
        run(recognition.recipe, folder, resume=True)
    assert first in str(caught.value)
    (folder / "data.json").write_text("{")
    with pytest.raises(RecipeError, match="fingerprints of the data cannot be read"):
        run(recognition.recipe, folder, resume=True)


def test_what_a_killed_process_had_begun_is_swept_away(recognition: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(recognition.folder, tmp_path / "run")
    (folder / ".model.abcdefgh").mkdir()
    (folder / "checkpoints" / ".step-00000006.abcdefgh.ckpt").write_bytes(b"half")
    run(recognition.recipe, folder, resume=True)
    assert list(folder.rglob(".*")) == []
