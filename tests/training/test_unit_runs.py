"""Real runs of SpeechLM and SpeechUT, from recipe to model folder, to a recogniser that transcribes."""

from pathlib import Path
from typing import Any

import pytest
import torch

import speech_units
import tiny
from commands import run_command
from sprachbund.checkpoints.store import load_model
from sprachbund.config import from_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.speech_units.model import SpeechUnitModel
from sprachbund.models.table import build_model
from sprachbund.training.speech_recipes import RecognitionRecipe
from sprachbund.training.unit_recipes import UnitPretrainingRecipe
from training.processes import farthest, run, run_together, write_recipe
from training.processes import trained as trained_weights
from training.runs import assert_resumed_exactly, figures, trained


def recipe_of(kind: str, folder: Path, **run: Any) -> UnitPretrainingRecipe:
    return from_mapping(UnitPretrainingRecipe, speech_units.unit_recipe(kind, folder, **run), "test")


@pytest.mark.parametrize("kind", ["speechut", pytest.param("speechlm", marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit in all streams, with two micro-batches a step; killed in the fourth step, it goes on from the
    second."""
    recipe = recipe_of(kind, tmp_path, steps=4, accumulate=2, checkpoint_every=2, validate_every=2)
    whole = assert_resumed_exactly(recipe, tmp_path, monkeypatch)
    model = build_model(whole, "test")
    assert isinstance(model, SpeechUnitModel) and whole.kind == kind
    assert all(torch.equal(value, whole.weights[name]) for name, value in model.state_dict().items())
    lines = figures(tmp_path / "whole")
    assert all(0 <= line["padding"] < 1 for line in lines if line["split"] == "train")
    assert len({line["loss"] for line in lines if line["split"] == "train"}) == 4
    # Stores that have changed since are not gone on with.
    speech_units.write_store(tmp_path / "new", tiny.unit_model(), ["bead", "dad"], reduced=kind == "speechut", seed=5)
    (tmp_path / "pairs").rename(tmp_path / "old")
    (tmp_path / "new").rename(tmp_path / "pairs")
    with pytest.raises(RecipeError, match=r"has changed since it began in .*pairs"):
        trained(recipe, tmp_path / "whole", resume=True)


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    plain = speech_units.unit_recipe("speechut", tmp_path, accumulate=2)
    one, other = (
        trained(from_mapping(UnitPretrainingRecipe, _with_workers(plain, workers), "test"), tmp_path / str(workers))
        for workers in (0, 2)
    )
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def _with_workers(plain: dict[str, Any], workers: int) -> dict[str, Any]:
    return plain | {"run": plain["run"] | {"loader_workers": workers}}


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_from_pretraining_to_a_transcript(kind: str, tmp_path: Path) -> None:
    """Fine-tuning keeps all that it can use of the folder, its letters too, and nothing of units."""
    trained(recipe_of(kind, tmp_path / "pretraining", steps=2), tmp_path / "pretrained")
    plain = tiny.recognition_recipe(tmp_path / "recognition", tmp_path / "pretrained" / "model", steps=2)
    weights = {"decoder_weight": 0.5, "ctc_weight": 0.5} if kind == "speechut" else {"decoder_weight": 0.0}
    before = load_model(tmp_path / "pretrained" / "model")
    tuned = trained(from_mapping(RecognitionRecipe, plain | {"objective": weights}, "test"), tmp_path / "tuned")
    gone = {name for name in before.weights if name not in tuned.weights}
    assert gone and all(
        name.startswith(("unit_predictor.", "top_predictor.", "unit_prenet.embedding")) for name in gone
    )
    assert tuned.weights.keys() <= before.weights.keys()
    assert before.tokenizer is not None and tuned.tokenizer is not None
    assert tuned.tokenizer.vocabulary == before.tokenizer.vocabulary
    clip = tmp_path / "recognition" / "transcribed" / "audio" / "valid-000.wav"
    methods = ("ctc", "joint", "attention") if kind == "speechut" else ("ctc",)
    for method in methods:
        outcome = run_command("transcribe", tmp_path / "tuned" / "model", clip, "--decoder", method)
        assert (outcome.code, outcome.out.count("\n")) == (0, 1), outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_two_processes_train_what_one_does(kind: str, tmp_path: Path) -> None:
    plain = speech_units.unit_recipe(kind, tmp_path, accumulate=4, threads=1)
    words = ("pretrain", write_recipe(tmp_path / "recipe.yaml", plain), "--out")
    assert run(tmp_path / "log", *words, tmp_path / "one") == 0, (tmp_path / "log").read_text()
    codes = run_together(tmp_path, 2, *words, tmp_path / "two")
    assert codes == [0, 0], (tmp_path / "log-0").read_text()[-3000:]
    for ours, theirs in zip(figures(tmp_path / "two"), figures(tmp_path / "one"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-4)
    assert farthest(trained_weights(tmp_path / "two"), trained_weights(tmp_path / "one")) < 5e-5
