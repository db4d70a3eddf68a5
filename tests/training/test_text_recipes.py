"""Recipes of models that read text: their verbs, their sizes, and the values they may not hold."""

from pathlib import Path
from typing import Any

import pytest

import paired_speech
from sprachbund.config import dump_yaml, merge
from sprachbund.errors import RecipeError
from sprachbund.training.recipe import load_recipe
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)

TASKS = {
    "text_to_unit": (TextToUnitRecipe, "tokens train-t2u"),
    "unit_generation": (UnitGenerationRecipe, "tokens train-t2u"),
    "pronunciation": (PronunciationRecipe, "tokens train-g2p"),
    "language_modeling": (LanguageModelRecipe, "lm train"),
}
WORDS: dict[str, Any] = {"task": "pronunciation"}
LINES: dict[str, Any] = {"task": "language_modeling", "tokenizer": "tokenizer", "text": {"train": ["a.txt"]}}
PAIRED: dict[str, Any] = {"task": "text_to_unit", "paired": {"units": "units", "train": ["a.jsonl.gz"]}}


def write(folder: Path, plain: dict[str, Any]) -> str:
    path = folder / "recipe.yaml"
    path.write_text(dump_yaml(plain), "utf-8")
    return str(path)


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_recipe_and_its_verb(task: str, tmp_path: Path) -> None:
    plain = {"pronunciation": WORDS, "language_modeling": LINES}.get(task, {**PAIRED, "task": task})
    kind, verb = TASKS[task]
    assert type(load_recipe(write(tmp_path, plain), verb=verb)) is kind
    other = "tokens train-g2p" if verb == "tokens train-t2u" else "tokens train-t2u"
    for wrong in ("pretrain", "finetune", other):
        with pytest.raises(RecipeError, match=f"recipe of the task {task} in .* Use `sprachbund {verb}`"):
            load_recipe(str(tmp_path / "recipe.yaml"), verb=wrong)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"paired": {"rate": 0}}, "paired.rate"),
        ({"paired": {"max_minutes": -3}}, "paired.max_minutes"),
        ({"paired": {"batch_units": 0}}, "paired.batch_units"),
        ({"model": {"size": "base"}}, "model.size"),
        ({"objective": {"label_smoothing": 2}}, "objective.label_smoothing"),
    ],
)
def test_values_that_cannot_be_are_refused_by_their_key(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(RecipeError, match=f"the value of '{key}' cannot be used"):
        load_recipe(write(tmp_path, merge(PAIRED, changes)))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"text": {"batch_tokens": 0}}, "text.batch_tokens"),
        ({"text": {"max_tokens": -1}}, "text.max_tokens"),
        ({"model": {"size": "small"}}, "model.size"),
    ],
    ids=["batch_tokens", "max_tokens", "size"],
)
def test_values_of_language_models_are_refused_by_their_key(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    with pytest.raises(RecipeError, match=f"the value of '{key}' cannot be used"):
        load_recipe(write(tmp_path, merge(LINES, changes)))


def test_tests_share_recipes_that_are_valid(tmp_path: Path) -> None:
    load_recipe(write(tmp_path, paired_speech.paired_recipe(tmp_path, "unit_generation")))
