"""Real runs of encoder pre-training with every kind of target, from recipe to model folder."""

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from sprachbund.config import from_mapping, merge
from sprachbund.errors import RecipeError
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.models.hubert.model import Hubert
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe
from training.runs import assert_resumed_exactly, die_at, figures, trained

HEAD = {"model": {"changes": {"contrastive": {"codes_per_group": 8, "code_dim": 8, "dim": 8}}}}
KINDS: dict[str, tuple[dict[str, Any] | None, dict[str, Any], str]] = {
    "units": (None, {}, "masked_units"),
    "random_projection": ({"kind": "random_projection", "codes": 30, "dim": 8}, {}, "masked_units"),
    "contrastive": ({"kind": "contrastive", "distractors": 5}, HEAD, "contrastive"),
    "teacher": ({"kind": "teacher", "layer": 1}, {}, "teacher_features"),
}


def recipe_of(kind: str, folder: Path, **run: Any) -> EncoderPretrainingRecipe:
    targets, changes, _ = KINDS[kind]
    if kind == "teacher":
        targets = {**(targets or {}), "model": str(tiny.write_hubert_folder(folder / "teacher", 8))}
    plain = merge(tiny.encoder_recipe(folder, targets, **run), changes)
    return from_mapping(EncoderPretrainingRecipe, plain, "test")


SLOW = pytest.mark.slow
RESUMED = ["units", "contrastive", pytest.param("random_projection", marks=SLOW), pytest.param("teacher", marks=SLOW)]


@pytest.mark.parametrize("kind", RESUMED)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with two micro-batches a step; killed in the fourth step, it goes on from the second."""
    recipe = recipe_of(kind, tmp_path, steps=4, accumulate=2, checkpoint_every=2, validate_every=2)
    whole = assert_resumed_exactly(recipe, tmp_path, monkeypatch)
    lines = figures(tmp_path / "whole")
    assert [(line["step"], line["split"]) for line in lines] == [
        (1, "train"), (2, "train"), (2, "valid"), (3, "train"), (4, "train"), (4, "valid"),
    ]  # fmt: skip
    for line in lines:
        assert math.isfinite(line["loss"])
        assert f"loss/{KINDS[kind][2]}" in line
    assert (whole.kind, whole.tokenizer, whole.facts["targets"], whole.facts["steps"]) == ("hubert", None, kind, 4)
    # The result is an encoder whose layers can be read.
    model = load_encoder(tmp_path / "whole" / "model")
    assert isinstance(model, Hubert)
    assert EncoderFeatures(model, 2)(tiny.tone(8_000)).shape == (24, 32)


def test_neither_workers_nor_chance_change_the_weights(tmp_path: Path) -> None:
    recipe = recipe_of("contrastive", tmp_path, steps=2)
    one = trained(recipe, tmp_path / "one")
    torch.manual_seed(999)
    other = trained(recipe_of("contrastive", tmp_path, steps=2, loader_workers=1), tmp_path / "other")
    assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_no_run_holds_its_teacher(tmp_path: Path) -> None:
    recipe = recipe_of("teacher", tmp_path, steps=1, validate_every=1, checkpoint_every=1)
    stored = trained(recipe, tmp_path / "run")
    assert {name.split(".")[0] for name in stored.weights} == {"speech_prenet", "encoder"}
    [checkpoint] = (tmp_path / "run" / "checkpoints").iterdir()
    state = torch.load(checkpoint, weights_only=False, map_location="cpu")["state_dict"]
    names = {name.removeprefix("objective.").split(".")[0] for name in state}
    assert names == {"model", "head"}


@pytest.mark.slow
def test_units_of_a_few_clips_are_learned_by_heart(tmp_path: Path) -> None:
    """Frames of which nothing is heard are told from their neighbours: far above the most frequent unit's share."""
    changes = {
        "model": {"changes": {"dropout": 0.0, "encoder": {"dropout": 0.0}}},
        "masking": {"time": 0.3, "time_length": 2},
        "optimization": {"schedule": {"kind": "constant", "peak": 3e-3}},
        "objective": {"unmasked_weight": 1.0},
    }
    plain = tiny.encoder_recipe(tmp_path, steps=200, log_every=20, validate_every=200, checkpoint_every=200)
    recipe = from_mapping(EncoderPretrainingRecipe, merge(plain, changes), "test")
    trained(recipe, tmp_path / "run")
    last = [line for line in figures(tmp_path / "run") if line["split"] == "train"][-1]
    assert last["unmasked_accuracy"] > 0.9
    assert last["masked_accuracy"] > 0.5


def test_a_run_is_not_resumed_with_another_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = recipe_of("teacher", tmp_path, steps=2, checkpoint_every=1)
    with monkeypatch.context() as patch:
        die_at(1, patch)
        with pytest.raises(InterruptedError):
            trained(recipe, tmp_path / "run")
    shutil.rmtree(tmp_path / "teacher")
    tiny.write_hubert_folder(tmp_path / "teacher", 9)
    with pytest.raises(RecipeError, match=r"data of this run has changed.*model\.safetensors"):
        trained(recipe, tmp_path / "run", resume=True)
