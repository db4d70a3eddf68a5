"""The trainings of a row: pre-training, and fine-tuning for recognition and translation with every seed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from sprachbund.config import to_mapping
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.places import STEEL_SKY, ClaimsPlaces
from sprachbund.experiments.claims.rows import PREPARED, Row
from sprachbund.experiments.claims.work import Job
from sprachbund.experiments.preparing.workshop import WEIGHTS, overrides_of
from sprachbund.training.checkpointing import list_checkpoints
from sprachbund.training.recipe import Recipe, load_recipe
from sprachbund.training.run import CHECKPOINTS, train

CHECKPOINT_EVERY = 100


@dataclass(frozen=True)
class Training:
    """The jobs of one row that train."""

    row: Row
    shared: SharedData

    @property
    def pretraining(self) -> str | None:
        """The job whose weights fine-tuning begins with."""
        return None if self.row.pretraining is None else f"{self.row.name}-pretraining"

    def recognition(self, seed: int) -> str:
        """The name of the job."""
        return f"{self.row.name}-recognition-{seed}"

    def translation(self, language: str, seed: int) -> str:
        """The name of the job."""
        return f"{self.row.name}-{language}-{seed}"

    def pretrain(self) -> Iterator[Job]:
        """The job of pre-training, where there is one."""
        if self.pretraining is not None:
            needs = dict.fromkeys(("prepare-speechlm-h", f"prepare-{self.row.data}"))
            yield self._job(self.pretraining, tuple(needs), self.pretraining_recipe)

    def recognize(self, seed: int) -> Job:
        """Fine-tuning for recognition."""
        return self._finetuning(self.recognition(seed), "data", partial(self.recognition_recipe, seed))

    def translate(self, language: str, seed: int) -> Job:
        """Fine-tuning for translation."""
        recipe = partial(self.translation_recipe, language, seed)
        return self._finetuning(self.translation(language, seed), f"tokenizer-{language}", recipe)

    def pretraining_recipe(self) -> Recipe:
        """What pre-training does; what was prepared must be there.

        Raises:
            SprachbundError: it is not, or it is no recipe.
        """
        budget, places, data = self.shared.budget, self.shared.places, self.row.data
        assert self.row.pretraining is not None and data is not None
        common = _run(budget.pretraining_steps, budget.seeds[0], budget.valid_clips)
        common |= {"speech.batch_seconds": budget.pretraining_seconds}
        folder = places.prepared(data)
        if self.row.pretraining == PREPARED:
            return load_recipe(str(folder / "recipe.yaml"), (*overrides_of(common), *self.row.changes))
        labelled = folder / "labelled"
        names = [f"{manifest.parent.name}-train.jsonl.gz" for manifest in self.shared.speech]
        given: dict[str, Any] = {
            "speech.train": [str(labelled / name) for name in names],
            "speech.valid": [str(labelled / f"{STEEL_SKY}-dev.jsonl.gz")],
        }
        if self.row.reads_text:
            given |= {"units": str(folder / "units"), "tokenizer": str(places.tokenizer)}
            given |= {"text.train": [str(self.shared.lines())]}
        else:
            given |= {"targets.units": str(folder / "units")}
        return load_recipe(self.row.pretraining, (*overrides_of(given | common), *self.row.changes))

    def recognition_recipe(self, seed: int) -> Recipe:
        """What fine-tuning for recognition does."""
        places, budget = self.shared.places, self.shared.budget
        given = self._beginning() | {
            "tokenizer": str(places.tokenizer),
            "speech.train": [str(places.labelled)],
            "speech.valid": [str(self.shared.valid)],
        }
        return load_recipe(
            self.row.recognition, (*overrides_of(given | self._finetuned(budget.recognition_steps, seed)),)
        )

    def translation_recipe(self, language: str, seed: int) -> Recipe:
        """What fine-tuning for translation does; it learns from the translations of all of Steel Sky train."""
        places, budget = self.shared.places, self.shared.budget
        assert self.row.translation is not None
        given = self._beginning() | {
            "tokenizer": str(places.translated_tokenizer(language)),
            "target": language,
            "speech.train": [str(places.manifest(STEEL_SKY, "train"))],
            "speech.valid": [str(self.shared.valid)],
        }
        return load_recipe(
            self.row.translation, (*overrides_of(given | self._finetuned(budget.translation_steps, seed)),)
        )

    def _beginning(self) -> dict[str, Any]:
        return {"init": None if self.pretraining is None else str(self.shared.places.model(self.pretraining))}

    def _finetuned(self, steps: int, seed: int) -> dict[str, Any]:
        budget = self.shared.budget
        return _run(steps, seed, budget.valid_clips) | {"speech.batch_seconds": budget.finetuning_seconds}

    def _finetuning(self, name: str, data: str, recipe: Callable[[], Recipe]) -> Job:
        needs = (data,) if self.pretraining is None else (data, self.pretraining)
        return self._job(name, needs, recipe)

    def _job(self, name: str, needs: tuple[str, ...], recipe: Callable[[], Recipe]) -> Job:
        places = self.shared.places
        run = places.run(name)

        def work() -> Path:
            return train(recipe(), run, resume=bool(list_checkpoints(run / CHECKPOINTS)), console=Console(stderr=True))

        return Job(
            name=name,
            needs=needs,
            choices=lambda: {"recipe": movable(to_mapping(recipe()), places)},
            work=work,
            result=lambda: file_fingerprint(places.model(name) / WEIGHTS),
        )


def movable(value: Any, places: ClaimsPlaces) -> Any:
    """Plain values without the places of both folders, which may be moved."""
    if isinstance(value, dict):
        return {key: movable(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [movable(inner, places) for inner in value]
    if isinstance(value, str):
        for name, folder in (("OUT", places.out), ("CORPORA", places.corpora)):
            if value.startswith(f"{folder}/"):
                return name + value.removeprefix(str(folder))
    return value


def _run(steps: int, seed: int, valid_clips: int) -> dict[str, Any]:
    """Of every training: one thread, and no process beside it, as several run side by side."""
    return {
        "run.steps": steps,
        "optimization.schedule.total_steps": steps,
        "run.seed": seed,
        "run.validate_every": steps,
        "run.checkpoint_every": min(steps, CHECKPOINT_EVERY),
        "run.valid_clips": valid_clips,
        "run.threads": 1,
        "run.loader_workers": 0,
    }
