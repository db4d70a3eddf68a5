"""The typed recipes: every choice of a run, read from YAML and written back resolved beside the weights.

A recipe may begin with ``extends: NAME`` to take another one and change some of its values. Lengths of data are in
seconds of speech or tokens of text; paths are relative to the folder the command is run in.
"""

from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sprachbund.config import (
    Few,
    NotNegative,
    Plain,
    Positive,
    Probability,
    Size,
    apply_overrides,
    from_mapping,
    merge,
    nearest,
    parse_yaml,
    read_yaml,
)
from sprachbund.data.batches.augmentation import AugmentationConfig
from sprachbund.errors import RecipeError
from sprachbund.files import is_file
from sprachbund.objectives.joint_pretraining import JointPretrainingConfig
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.objectives.recognition import RecognitionConfig
from sprachbund.training.choices import ModelChoice, OptimizationConfig, RunConfig
from sprachbund.training.compute import ComputeConfig
from sprachbund.training.targets import Targets
from sprachbund.training.text_recipes import (
    LanguageModelRecipe,
    PronunciationRecipe,
    TextModelRecipe,
    TextToUnitRecipe,
    UnitGenerationRecipe,
)

MeanSpan = Annotated[float, Field(ge=0.1, le=64)]  # below, spans hardly ever hold a word; above, they hold whole lines


@dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """Recordings to train on and to validate on: manifests, Shar folders, or http(s) addresses of Shar."""

    # Not paths, which would make one slash of the two in an address.
    train: tuple[str, ...]
    valid: tuple[str, ...] = ()
    batch_seconds: float = 87.5  # of one micro-batch, padding included
    max_seconds: float = 15.6  # pre-training crops longer clips, fine-tuning leaves them out and says how many
    min_seconds: NotNegative = 0.2
    buckets: Few = 10

    def __post_init__(self) -> None:
        if self.batch_seconds <= 0 or self.max_seconds <= 0 or self.buckets < 1:
            raise ValueError("batch_seconds and max_seconds are above 0, and there is at least 1 bucket")


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Sources of text to train on (files, JSON lines, line stores and others), and the noise laid over them."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    tokens_per_sample: Positive = 0.0086  # text tokens of a micro-batch for each audio sample of a speech one
    max_tokens: Size = 450
    mask: Probability = 0.3  # share of words masked
    mask_random: Probability = 0.1  # share of masked words replaced by a random token
    span: MeanSpan = 3.5  # Poisson mean of the masked spans, in words


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """Span masks over frames and channels, by the probability that a position is in one."""

    time: Probability = 0.8
    time_length: Size = 10
    channel: Probability = 0.0
    channel_length: Size = 64
    codebook: Probability = 0.1  # share of the states that are replaced by their codes, pre-training only
    equal_counts: bool = True  # as published: every row is thinned to the fewest masked frames of its batch


@dataclass(frozen=True, kw_only=True)
class PretrainingRecipe:
    """Joint pre-training on speech with units and on text; without one of the two where it is null."""

    task: Literal["pretraining"]
    model: ModelChoice = field(default_factory=ModelChoice)
    tokenizer: Path
    units: Path
    speech: SpeechConfig | None
    text: TextConfig | None
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    objective: JointPretrainingConfig = field(default_factory=JointPretrainingConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.speech is None and self.text is None:
            raise ValueError("speech and text are both null: nothing is left to train on")
        refuse_speed(self.augmentation)
        if self.speech is None and self.augmentation.is_on:
            raise ValueError("without speech there is nothing to augment: leave augmentation out")


@dataclass(frozen=True, kw_only=True)
class EncoderPretrainingRecipe:
    """Pre-training of a speech encoder alone, by what it tells of masked frames."""

    task: Literal["encoder_pretraining"]
    init: Path | None = None  # a model folder to go on from; null begins with random weights
    model: ModelChoice = field(default_factory=ModelChoice)
    targets: Targets
    speech: SpeechConfig
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    objective: MaskedPredictionConfig = field(default_factory=MaskedPredictionConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        refuse_speed(self.augmentation)


@dataclass(frozen=True, kw_only=True)
class RecognitionRecipe:
    """Fine-tuning for speech recognition, from a model folder or (`init` null) from random weights."""

    task: Literal["recognition"]
    init: Path | None = None
    model: ModelChoice = field(default_factory=ModelChoice)
    tokenizer: Path | None = None  # null takes the one of `init`
    speech: SpeechConfig
    masking: MaskingConfig = field(default_factory=lambda: MaskingConfig(time=0.75, channel=0.5))
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    objective: RecognitionConfig = field(default_factory=RecognitionConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.init is None and self.tokenizer is None:
            raise ValueError("from random weights (init: null) a tokenizer is needed")


def refuse_speed(config: AugmentationConfig) -> None:
    """Refuse a change of speed in pre-training.

    Raises:
        ValueError: there is one.
    """
    if config.speed is not None:
        raise ValueError(
            "augmentation.speed changes lengths, which units do not follow: save the faster and slower clips as "
            "audio files, label those, and leave it out"
        )


SpeechRecipe = PretrainingRecipe | EncoderPretrainingRecipe | RecognitionRecipe
Recipe = SpeechRecipe | TextModelRecipe
_TASKS: dict[str, type[Recipe]] = {
    "pretraining": PretrainingRecipe,
    "encoder_pretraining": EncoderPretrainingRecipe,
    "recognition": RecognitionRecipe,
    "text_to_unit": TextToUnitRecipe,
    "unit_generation": UnitGenerationRecipe,
    "pronunciation": PronunciationRecipe,
    "language_modeling": LanguageModelRecipe,
}
VERBS = {
    "pretraining": "pretrain",
    "encoder_pretraining": "pretrain",
    "recognition": "finetune",
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
        return read_yaml(Path(name))
    if name not in shipped_recipes():
        raise RecipeError("no such recipe", given=name, mend=nearest(name, shipped_recipes()))
    return parse_yaml((resources.files("sprachbund.recipes") / f"{name}.yaml").read_text("utf-8"), name)
