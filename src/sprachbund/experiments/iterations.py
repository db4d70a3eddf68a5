"""Iterations of hidden units: units, labels, an encoder that learns to predict them, units of its layers, and so on.

    DIR/iteration-N/units/         the unit model, fitted on MFCC or on a layer of the encoder before
    DIR/iteration-N/labelled/      a manifest of the same speech with those units for each one given
    DIR/iteration-N/run/           the training of an encoder on them; its weights are in run/model
    DIR/iteration-N/*.stage.json   what a finished stage was made of and what came out

A stage does what the verb of its own does. One that is finished is skipped where what it was made of and what came out
are still the same.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.config import to_mapping
from sprachbund.data.frame_reader import FrameReader
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.units import MFCC
from sprachbund.errors import RecipeError
from sprachbund.experiments.labelling import fit_once, label_once, name_of
from sprachbund.experiments.resumable import SUFFIX, Stage
from sprachbund.models.stored_features import StoredEncoderFeatures
from sprachbund.tokens.units import UnitModel
from sprachbund.training.checkpointing import list_checkpoints
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import CHECKPOINTS, MODEL, train
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe
from sprachbund.training.targets import UnitTargetsConfig

WEIGHTS = "model.safetensors"


@dataclass(frozen=True, kw_only=True)
class IterationPlan:
    """What is iterated."""

    recipe: str  # of the task encoder_pretraining; its units and its speech are those of each iteration
    overrides: tuple[str, ...] = ()
    manifests: tuple[Path, ...]  # of the speech to train on, which units are fitted on too
    valid: tuple[Path, ...] = ()
    units: tuple[int, ...]  # of each iteration
    layers: tuple[int, ...] = ()  # that units are fitted on; none for a first iteration on MFCC
    start: Path | None = None  # a model folder that the first iteration reads instead of MFCC
    seed: int = 0  # of the units
    jobs: int = 1

    def __post_init__(self) -> None:
        wanted = len(self.units) - (self.start is None)
        if not self.units or len(self.layers) != wanted:
            raise RecipeError(
                "there is not one layer for each iteration that reads an encoder",
                given=f"{len(self.units)} iterations, layers {list(self.layers)}",
                mend="The first iteration reads MFCC, unless it starts from a model; all others read a layer.",
            )
        names = [name_of(manifest) for manifest in (*self.manifests, *self.valid)]
        if not self.manifests or len(set(names)) < len(names):
            raise RecipeError(
                "manifests are missing, or two have one name", given=names, mend="Give each manifest once, by its path."
            )


def iterate(plan: IterationPlan, out: Path, say: Callable[[str], None]) -> list[Path]:
    """Run all iterations and return their folders; finished stages are skipped, an interrupted training goes on.

    Raises:
        RecipeError: the folder holds iterations of other choices, or the recipe cannot be used.
        SprachbundError: speech, units or weights cannot be used.
    """
    folders = [out / f"iteration-{number}" for number in range(1, len(plan.units) + 1)]
    _recipe(plan, folders[0])  # what is wrong with it is told before anything is made
    encoder = plan.start
    layers = (*plan.layers,) if plan.start else (None, *plan.layers)
    for folder, num_units, layer in zip(folders, plan.units, layers, strict=True):
        one = Iteration(plan, folder, say)
        reader = MFCC if encoder is None or layer is None else StoredEncoderFeatures(encoder, layer)
        units = one.fit(num_units, reader)
        for manifest in (*plan.manifests, *plan.valid):
            one.label(manifest, units, reader)
        encoder = one.train(units)
    return folders


@dataclass(frozen=True)
class Iteration:
    """One iteration on its way."""

    plan: IterationPlan
    folder: Path
    say: Callable[[str], None]

    def fit(self, num_units: int, reader: FrameReader) -> UnitModel:
        """The unit model of this iteration."""
        made_of = {
            "manifests": [file_fingerprint(manifest) for manifest in self.plan.manifests],
            "units": num_units,
            "seed": self.plan.seed,
            "frames": reader.name,
        }
        stage = self._stage("units", made_of)
        return fit_once(
            self.plan.manifests, num_units, self.folder / "units", reader, self.plan.seed, self.plan.jobs, stage
        )

    def label(self, manifest: Path, units: UnitModel, reader: FrameReader) -> None:
        """A labelled copy of a manifest."""
        stage = self._stage(name_of(manifest), {"manifest": file_fingerprint(manifest), "units": units.fingerprint})
        label_once(manifest, labelled(self.folder, manifest), units, reader, self.plan.jobs, stage)

    def train(self, units: UnitModel) -> Path:
        """The model folder of an encoder that has learned to predict the units."""
        recipe = _recipe(self.plan, self.folder)
        choices = to_mapping(recipe)
        # Fingerprints say more than the paths, which change where the folder is moved.
        for part, key in (("targets", "units"), ("speech", "train"), ("speech", "valid")):
            choices[part].pop(key)
        manifests = (*self.plan.manifests, *self.plan.valid)
        speech = [file_fingerprint(labelled(self.folder, manifest)) for manifest in manifests]
        stage = self._stage("run", {"units": units.fingerprint, "speech": speech, "recipe": choices})
        run = self.folder / "run"
        if not stage.is_done(lambda: file_fingerprint(run / MODEL / WEIGHTS)):
            train(recipe, run, resume=bool(list_checkpoints(run / CHECKPOINTS)))
            stage.finish(file_fingerprint(run / MODEL / WEIGHTS))
        return run / MODEL

    def _stage(self, name: str, made_of: Mapping[str, Any]) -> Stage:
        return Stage(self.folder / f"{name}{SUFFIX}", dict(made_of), self.say)


def labelled(folder: Path, manifest: Path) -> Path:
    """The labelled copy of a manifest in an iteration."""
    return folder / "labelled" / f"{name_of(manifest)}.jsonl.gz"


def _recipe(plan: IterationPlan, folder: Path) -> EncoderPretrainingRecipe:
    """The user's, with the places of units and speech; these are written as JSON for the sake of odd names."""
    recipe = load_recipe(plan.recipe, plan.overrides)
    if not isinstance(recipe, EncoderPretrainingRecipe) or not isinstance(recipe.targets, UnitTargetsConfig):
        mend = "Give a recipe of the task encoder_pretraining whose targets are units."
        raise RecipeError("the recipe trains no encoder on units", where=plan.recipe, given=recipe.task, mend=mend)
    train, valid = ([str(labelled(folder, one)) for one in manifests] for manifests in (plan.manifests, plan.valid))
    places = {"targets.units": str(folder / "units"), "speech.train": train, "speech.valid": valid}
    placed = load_recipe(plan.recipe, (*plan.overrides, *(f"{key}={json.dumps(at)}" for key, at in places.items())))
    assert isinstance(placed, EncoderPretrainingRecipe)
    return placed
