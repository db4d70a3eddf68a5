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

from lhotse import CutSet

from sprachbund.config import to_mapping
from sprachbund.data.frame_reader import FrameReader
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.units import MFCC, attach_units, find_units, fit_units
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.files import write_atomically
from sprachbund.models.stored_features import StoredEncoderFeatures
from sprachbund.tokens.units import UnitModel
from sprachbund.training.checkpointing import list_checkpoints
from sprachbund.training.recipe import EncoderPretrainingRecipe, load_recipe
from sprachbund.training.run import CHECKPOINTS, MODEL, train
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


def name_of(manifest: Path) -> str:
    """What the labelled copy of a manifest is called: ``corpora/steel-sky/dev.jsonl.gz`` -> ``steel-sky-dev``."""
    return f"{manifest.resolve().parent.name}-{manifest.name.removesuffix('.gz').removesuffix('.jsonl')}"


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
        stage, folder = self._stage("units", made_of), self.folder / "units"
        if stage.is_done(lambda: UnitModel.load(folder).fingerprint):
            return UnitModel.load(folder)
        cuts = CutSet.from_cuts(cut for manifest in self.plan.manifests for cut in read_cuts(manifest))
        units = fit_units(cuts, num_units, reader=reader, seed=self.plan.seed, jobs=self.plan.jobs)
        units.save(folder)
        stage.finish(units.fingerprint)
        return units

    def label(self, manifest: Path, units: UnitModel, reader: FrameReader) -> None:
        """A labelled copy of a manifest."""
        path, arrays = labelled(self.folder, manifest), self.folder / "labelled" / "units"
        stage = self._stage(name_of(manifest), {"manifest": file_fingerprint(manifest), "units": units.fingerprint})
        cuts = read_cuts(manifest)
        if stage.is_done(lambda: file_fingerprint(path)) and find_units(cuts, units, arrays) is not None:
            return
        write_cuts(attach_units(cuts, units, arrays, reader=reader, jobs=self.plan.jobs), path)
        stage.finish(file_fingerprint(path))

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

    def _stage(self, name: str, made_of: Mapping[str, Any]) -> "Stage":
        return Stage(self.folder / f"{name}.stage.json", dict(made_of), self.say)


@dataclass(frozen=True)
class Stage:
    """What a stage is made of, and the note that it leaves when it is finished."""

    note: Path
    made_of: dict[str, Any]
    say: Callable[[str], None]

    def is_done(self, fingerprint: Callable[[], str]) -> bool:
        """Whether it was finished with the same choices, and its result is what it was then.

        Raises:
            RecipeError: it was finished with other choices.
        """
        name = f"{self.note.parent.name}, {self.note.name.partition('.')[0]}"
        try:
            found = json.loads(self.note.read_text("utf-8"))
            before, result = found["made_of"], found["result"]
        except FileNotFoundError:
            self.say(f"{name}: begins")
            return False
        except (OSError, ValueError, KeyError, TypeError):
            before, result = self.made_of, None
        different = sorted(key for key in {*self.made_of, *before} if self.made_of.get(key) != before.get(key))
        if different:
            raise RecipeError(
                "this folder holds an iteration of other choices",
                where=self.note,
                given=f"different: {', '.join(different)}",
                mend="Give the same manifests and options again, or another --out.",
            )
        try:
            is_same = bool(fingerprint() == result)
        except (OSError, VocabularyError):
            is_same = False
        self.say(f"{name}: {'already there' if is_same else 'its result was changed, and is made again'}")
        return is_same

    def finish(self, result: str) -> None:
        """Note that it is finished."""
        with write_atomically(self.note, "w") as handle:
            handle.write(json.dumps({"made_of": self.made_of, "result": result}, indent=1) + "\n")


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
