"""The folder that is prepared: where what lies, and the stages of the work.

OUT/tokenizer/                 the letters of text
OUT/units/                     the unit model, or the phone labels
OUT/labelled/NAME.jsonl.gz     speech with its units
OUT/text/NAME/                 lines of text: normalised, without what held-out speech says
OUT/paired/NAME/               the same lines with their units or phones
OUT/aligned.jsonl.gz           the paired speech, its phones in time
OUT/recipe.yaml, README.md     what `sprachbund pretrain` takes; what is in the folder; written last
OUT/*.stage.json               what finished stages were made of
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.experiments.labelling import name_of
from sprachbund.experiments.preparing.checks import has_transcripts
from sprachbund.experiments.preparing.plans import Plan
from sprachbund.experiments.resumable import SUFFIX, Stage
from sprachbund.training.checkpointing import list_checkpoints
from sprachbund.training.recipe import Recipe
from sprachbund.training.run import CHECKPOINTS, MODEL, train

Say = Callable[[str], None]
WEIGHTS = "model.safetensors"
TEXT, PHONES, PAIRED = "text", "phones", "paired"  # folders of line stores
VALID = "valid-"  # what the names of lines to validate on begin with


@dataclass(frozen=True)
class Workshop:
    """A folder on its way.

    Args:
        plan: every choice.
        out: the folder.
        say: is told what happens.
    """

    plan: Plan
    out: Path
    say: Say

    @property
    def tokenizer(self) -> Path:
        """The tokenizer of the text."""
        return self.out / "tokenizer"

    @property
    def units(self) -> Path:
        """The unit model or the phone labels."""
        return self.out / "units"

    @property
    def aligned(self) -> Path:
        """The paired speech with phones in time."""
        return self.out / "aligned.jsonl.gz"

    @property
    def recipe(self) -> Path:
        """What is handed to `sprachbund pretrain`."""
        return self.out / "recipe.yaml"

    def labelled(self, manifest: Path) -> Path:
        """The labelled copy of a manifest."""
        return self.out / "labelled" / f"{name_of(manifest)}.jsonl.gz"

    @cached_property
    def texts(self) -> dict[str, str]:
        """Sources of text by the names of their stores; those to validate on are the transcripts of such speech."""
        sources = self.plan.sources
        found = {f"{number:02d}-{_stem(name)}": name for number, name in enumerate(sources.text, start=1)}
        valid = {
            f"{VALID}{name_of(manifest)}": str(manifest) for manifest in sources.valid if has_transcripts(manifest)
        }
        return found | valid

    def is_valid(self, name: str) -> bool:
        """Whether lines of this name are to validate on."""
        return name.startswith(VALID)

    def text(self, name: str) -> Path:
        """Lines of text."""
        return self.out / TEXT / name

    def paired(self, name: str) -> Path:
        """Lines of text with their units or phones."""
        return self.out / PAIRED / name

    def stage(self, name: str, made_of: Mapping[str, Any]) -> Stage:
        """A stage of the work."""
        return Stage(self.out / f"{name}{SUFFIX}", dict(made_of), self.say)

    def train(self, name: str, recipe: Recipe, made_of: Mapping[str, Any]) -> Path:
        """The model folder of a training in the folder NAME/run, which goes on where it was ended.

        Args:
            name: of the stage.
            recipe: with the places of its data.
            made_of: every choice of it, and fingerprints in the place of paths, which change where the folder is moved.
        """
        run = self.out / name / "run"
        stage = self.stage(name, made_of)
        if not stage.is_done(lambda: file_fingerprint(run / MODEL / WEIGHTS)):
            train(recipe, run, resume=bool(list_checkpoints(run / CHECKPOINTS)))
            stage.finish(file_fingerprint(run / MODEL / WEIGHTS))
        return run / MODEL


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Overrides of a recipe; JSON is YAML, so any path keeps its characters."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def _stem(name: str) -> str:
    """A name of a file that tells the source of text: ``corpora/wordnet/text.txt`` -> ``wordnet-text``."""
    path = Path(name.partition("#")[0]).resolve()
    return re.sub(r"[^\w-]", "-", f"{path.parent.name}-{path.name.partition('.')[0]}")
