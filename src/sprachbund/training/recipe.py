"""The typed recipes: every choice of a run, read from YAML and written back resolved beside the weights.

A recipe may begin with ``extends: NAME`` to take another one and change some of its values. Lengths of data are in
seconds of speech or tokens of text; paths are relative to the folder the command is run in, or, where they begin with
``$HERE/``, to that of the recipe file.
"""

from importlib import resources
from pathlib import Path

from sprachbund.config import Plain, apply_overrides, from_mapping, merge, nearest, parse_yaml, placed, read_yaml
from sprachbund.errors import RecipeError
from sprachbund.files import is_file
from sprachbund.training.speech_recipes import (
    EncoderPretrainingRecipe,
    PretrainingRecipe,
    RecognitionRecipe,
    TranslationRecipe,
)
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextModelRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

SpeechRecipe = (
    PretrainingRecipe | EncoderPretrainingRecipe | UnitPretrainingRecipe | RecognitionRecipe | TranslationRecipe
)
Recipe = SpeechRecipe | TextModelRecipe
_TASKS: dict[str, type[Recipe]] = {
    "pretraining": PretrainingRecipe,
    "encoder_pretraining": EncoderPretrainingRecipe,
    "unit_pretraining": UnitPretrainingRecipe,
    "recognition": RecognitionRecipe,
    "translation": TranslationRecipe,
    "text_to_unit": TextToUnitRecipe,
    "unit_generation": UnitGenerationRecipe,
    "pronunciation": PronunciationRecipe,
    "language_modeling": LanguageModelRecipe,
}
VERBS = {
    "pretraining": "pretrain",
    "encoder_pretraining": "pretrain",
    "unit_pretraining": "pretrain",
    "recognition": "finetune",
    "translation": "finetune",
    "text_to_unit": "tokens train-t2u",
    "unit_generation": "tokens train-t2u",
    "pronunciation": "tokens train-g2p",
    "language_modeling": "lm train",
}
"""The command that runs a task."""


def shipped_recipes() -> list[str]:
    """Names of the recipes inside the package."""
    folder = resources.files("sprachbund.recipes")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_recipe(name: str, overrides: tuple[str, ...] = (), *, verb: str | None = None) -> Recipe:
    """The recipe in the file `name`, or the shipped one of that name, with overrides applied.

    Raises:
        RecipeError: not found, an unknown key, a value that cannot be used, or a recipe of another task.
    """
    plain = apply_overrides(_resolve(name, ()), overrides)
    given = plain.get("task")
    if not isinstance(given, str) or given not in _TASKS:
        raise RecipeError(
            "the key 'task' must name a task", where=name, given=given, mend=f"Write one of {list(_TASKS)}."
        )
    if verb is not None and VERBS[given] != verb:
        raise RecipeError(f"this is a recipe of the task {given}", where=name, mend=f"Use `sprachbund {VERBS[given]}`.")
    return from_mapping(_TASKS[given], plain, name)


def _resolve(name: str, seen: tuple[str, ...]) -> Plain:
    if name in seen:
        raise RecipeError("these recipes extend each other in a ring", given=" -> ".join((*seen, name)))
    plain = _read(name)
    parent = plain.pop("extends", None)
    return plain if parent is None else _extended(_resolve(str(parent), (*seen, name)), plain)


def _extended(parent: Plain, changes: Plain) -> Plain:
    """The parent with the changes laid over it; targets of another kind take the place of the parent's."""
    old, new = parent.get("targets"), changes.get("targets")
    if isinstance(old, dict) and isinstance(new, dict) and new.get("kind", old.get("kind")) != old.get("kind"):
        parent = {**parent, "targets": {}}
    return merge(parent, changes)


def _read(name: str) -> Plain:
    if name.endswith((".yaml", ".yml")) or is_file(Path(name)):
        return dict(placed(read_yaml(Path(name)), Path(name).parent))
    if name not in shipped_recipes():
        raise RecipeError("no such recipe", given=name, mend=nearest(name, shipped_recipes()))
    return parse_yaml((resources.files("sprachbund.recipes") / f"{name}.yaml").read_text("utf-8"), name)
