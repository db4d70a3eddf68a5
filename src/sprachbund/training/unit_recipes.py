"""The typed recipe of models that join speech to text through units: SpeechLM and SpeechUT."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sprachbund.config import Positive, Probability, Size
from sprachbund.data.batches.augmentation import AugmentationConfig
from sprachbund.data.text.unit_lines import MAX_UNITS
from sprachbund.objectives.unit_pretraining import UnitPretrainingConfig
from sprachbund.training.choices import ModelChoice, OptimizationConfig, RunConfig, refuse_other_kinds
from sprachbund.training.compute import ComputeConfig
from sprachbund.training.speech_recipes import MaskingConfig, SpeechConfig, refuse_speed


@dataclass(frozen=True, kw_only=True)
class UnitSpanConfig:
    """Span masks over units, by the probability that a unit is in one; 0 masks none."""

    probability: Probability = 0.8
    length: Size = 10


@dataclass(frozen=True, kw_only=True)
class PairedTextConfig:
    """Units and the text that they were made of, in line stores."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    reduced: bool = False  # whether repeated units are taken out; units of speech never are, but see `mono`
    units_per_frame: Positive = 0.67  # units of a micro-batch for each frame of a speech one, padding included
    max_units: Size = MAX_UNITS  # longer pairs are left out and counted
    masking: UnitSpanConfig = field(default_factory=lambda: UnitSpanConfig(probability=0.0))


@dataclass(frozen=True, kw_only=True)
class MonoConfig:
    """Units alone: those of labelled speech, and those made of text."""

    speech: tuple[str, ...] = ()  # manifests labelled with the units of the recipe
    text: tuple[Path, ...] = ()  # line stores
    speech_share: Probability | None = None  # of the lines; null takes all lines of both in each pass
    reduced: bool = False
    units_per_frame: Positive = 0.67
    max_units: Size = MAX_UNITS
    masking: UnitSpanConfig = field(default_factory=UnitSpanConfig)

    def __post_init__(self) -> None:
        if not self.speech and not self.text:
            raise ValueError("mono names neither speech nor text: leave it out, or name some")
        if self.speech_share is not None and (not self.speech or not self.text or self.speech_share in (0.0, 1.0)):
            raise ValueError("mono.speech_share is between 0 and 1 and wants both speech and text; else leave it out")


@dataclass(frozen=True, kw_only=True)
class MixingConfig:
    """States of speech that give way to vectors of units, by the probability that a frame is chosen; 0 mixes none."""

    probability: Probability = 0.4
    length: Size = 5


@dataclass(frozen=True, kw_only=True)
class UnitPretrainingRecipe:
    """Pre-training of SpeechLM or SpeechUT: every step has speech with units, units with text, and units alone."""

    task: Literal["unit_pretraining"]
    init: Path | None = None  # a model folder to go on from, of the same units and tokenizer; null begins anew
    model: ModelChoice
    tokenizer: Path
    units: Path  # of speech and text: the folder of a unit model, or of phone labels
    speech: SpeechConfig
    paired: PairedTextConfig
    mono: MonoConfig | None = None
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    objective: UnitPretrainingConfig = field(default_factory=UnitPretrainingConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.model.kind is None:
            raise ValueError("model.kind must be speechlm or speechut")
        refuse_other_kinds(self.model, "speechlm", "speechut")
        refuse_speed(self.augmentation)
