"""Trainings of one step with numbers that no one should choose: refused when the recipe is read, or trained with."""

import io
import random
from pathlib import Path
from typing import Any

from rich.console import Console

import tiny
from fuzz.kind import Kind, pick
from sprachbund.config import dump_yaml, to_mapping
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import train

VALUES = (-1, 0, 0.5, 1, 3, 1e9, 10**15, 1e-9, -0.5, "null", "[0, 0]")
# Numbers that ask for work without end, and the model, whose configuration is a kind of its own.
ASKS_FOR_MUCH = ("run.steps", "run.accumulate", "run.loader_workers", "run.threads", "model.")


def prepare(folder: Path) -> None:
    every = {"steps": 1, "validate_every": 1, "checkpoint_every": 1}
    for name, recipe in (("recognition", tiny.recognition_recipe), ("pretraining", tiny.pretraining_recipe)):
        (folder / f"{name}.yaml").write_text(dump_yaml(recipe(folder / name, **every)))


def make(originals: Path, folder: Path, choice: random.Random, number: int) -> tuple[str, tuple[str, ...], Path]:
    recipe = str(originals / pick(choice, ("recognition.yaml", "pretraining.yaml")))
    keys = sorted(numbers_of(to_mapping(load_recipe(recipe)), ""))
    overrides = tuple(f"{pick(choice, keys)}={pick(choice, VALUES)}" for _ in range(choice.choice((1, 1, 2))))
    return recipe, overrides, folder / "run"


def numbers_of(values: Any, name: str) -> list[str]:
    """Dotted names of the numbers below `values`."""
    if isinstance(values, dict):
        return [found for key, value in values.items() for found in numbers_of(value, f"{name}.{key}".strip("."))]
    is_number = isinstance(values, int | float) and not isinstance(values, bool)
    return [name] if is_number and not name.startswith(ASKS_FOR_MUCH) else []


def use(thing: tuple[str, tuple[str, ...], Path]) -> None:
    recipe, overrides, folder = thing
    model = train(load_recipe(recipe, overrides), folder, console=Console(file=io.StringIO()))
    assert (model / "model.safetensors").is_file()


RUNS = Kind(200, prepare, make, use)
