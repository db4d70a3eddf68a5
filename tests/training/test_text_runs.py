"""Real runs of models that read text, from recipe to model folder: killed and resumed, alone and in company."""

from pathlib import Path
from typing import Any

import pytest

import paired_speech
from sprachbund.config import from_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.table import build_text_model
from sprachbund.training.text_recipes import (
    PronunciationRecipe,
    TextModelRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)
from training.processes import farthest, run, run_together, write_recipe
from training.processes import trained as trained_weights
from training.runs import assert_resumed_exactly, figures, trained

TASKS = ("text_to_unit", "unit_generation", "pronunciation")


def recipe_of(task: str, folder: Path, **run: Any) -> TextModelRecipe:
    if task == "pronunciation":
        return from_mapping(PronunciationRecipe, paired_speech.pronunciation_recipe(folder, **run), "test")
    kind = TextToUnitRecipe if task == "text_to_unit" else UnitGenerationRecipe
    return from_mapping(kind, paired_speech.paired_recipe(folder, task, **run), "test")


@pytest.mark.parametrize("task", TASKS)
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with two micro-batches a step; killed in the fourth step, it goes on from the second."""
    recipe = recipe_of(task, tmp_path, steps=4, accumulate=2, checkpoint_every=2, validate_every=2)
    whole = assert_resumed_exactly(recipe, tmp_path, monkeypatch)
    # What comes out is a model folder of its kind, which has learned and says from what.
    model = build_text_model(whole, "test")
    assert whole.tokenizer is not None and len(whole.tokenizer.vocabulary) == model.config.vocab_size
    assert whole.facts["steps"] == 4
    assert "sprachbund tokens" in whole.card
    curve = [line["loss"] for line in figures(tmp_path / "whole") if line["split"] == "train"]
    assert len(set(curve)) == 4


@pytest.mark.parametrize("task", ["text_to_unit", "pronunciation"])
def test_a_run_does_not_go_on_with_other_data(task: str, tmp_path: Path) -> None:
    recipe = recipe_of(task, tmp_path, steps=2, checkpoint_every=2)
    trained(recipe, tmp_path / "run")
    longer = recipe_of(task, tmp_path, steps=3, checkpoint_every=2)
    if isinstance(longer, PronunciationRecipe):
        with Path(longer.words.lexicon).open("a", encoding="utf-8") as handle:
            handle.write("new  N UW\n")
        changed = "lexicon.dict"
    else:
        paired_speech.write_paired(tmp_path / "speech", 7, "train")
        changed = "train.jsonl.gz"
    with pytest.raises(RecipeError, match=rf"has changed since it began in .*{changed}"):
        trained(longer, tmp_path / "run", resume=True)


def test_units_of_text_are_learned(tmp_path: Path) -> None:
    """At a rate that a hundred steps suffice for, units of six kinds are told far better at the end than at first."""
    plain = paired_speech.paired_recipe(
        tmp_path, "text_to_unit", steps=100, log_every=25, validate_every=100, checkpoint_every=100
    )
    plain["optimization"]["schedule"] = {"kind": "tri_stage", "peak": 5e-3, "total_steps": 100}
    trained(from_mapping(TextToUnitRecipe, plain, "test"), tmp_path / "run")
    losses = [line["loss/units"] for line in figures(tmp_path / "run") if line["split"] == "train"]
    assert losses[-1] < losses[0] - 0.3


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("task", ["text_to_unit", "unit_generation"])
def test_two_processes_train_what_one_does(task: str, strategy: str, tmp_path: Path) -> None:
    plain = paired_speech.paired_recipe(tmp_path, task, accumulate=4, threads=1)
    words = ("tokens", "train-t2u", write_recipe(tmp_path / "recipe.yaml", plain), "--out")
    assert run(tmp_path / "log", *words, tmp_path / "one") == 0, (tmp_path / "log").read_text()
    codes = run_together(tmp_path, 2, *words, tmp_path / "two", f"run.strategy={strategy}")
    assert codes == [0, 0], (tmp_path / "log-0").read_text()[-3000:]
    for ours, theirs in zip(figures(tmp_path / "two"), figures(tmp_path / "one"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-4)
    # Six steps at rate 1e-3 move a weight by up to 6e-3; orders of addition differ.
    assert farthest(trained_weights(tmp_path / "two"), trained_weights(tmp_path / "one")) < 5e-5
