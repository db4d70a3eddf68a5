"""The typed recipes of models that hear speech: what they hear and read, how it is masked, and what is learned."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sprachbund.config import Few, NotNegative, Positive, Probability, Size
from sprachbund.data.batches.augmentation import AugmentationConfig
from sprachbund.objectives.joint_pretraining import JointPretrainingConfig
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.objectives.recognition import RecognitionConfig
from sprachbund.training.choices import ModelChoice, OptimizationConfig, RunConfig, refuse_other_kinds
from sprachbund.training.compute import ComputeConfig
from sprachbund.training.targets import Targets

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
        refuse_other_kinds(self.model, "speecht5")
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
        refuse_other_kinds(self.model, "hubert")
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


@dataclass(frozen=True, kw_only=True)
class TranslationRecipe:
    """Fine-tuning of a text decoder that writes what is said in another language.

    The encoder is that of a model folder, or (`init` null) begins with random weights; a decoder is kept if the folder
    has one, else it is that of a SpeechUT of `model.size`.
    """

    task: Literal["translation"]
    init: Path | None = None
    model: ModelChoice = field(default_factory=ModelChoice)
    tokenizer: Path  # of the language that is written
    target: str  # a language of the clips' field `translations`, or the name of a field that holds the text
    speech: SpeechConfig
    masking: MaskingConfig = field(default_factory=lambda: MaskingConfig(time=0.65, channel=0.5))
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    objective: RecognitionConfig = field(
        default_factory=lambda: RecognitionConfig(decoder_weight=1.0, ctc_weight=0.0, label_smoothing=0.3)
    )
    optimization: OptimizationConfig = field(default_factory=OptimizationConfig)
    compute: ComputeConfig = field(default_factory=ComputeConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if not self.objective.decoder_weight or self.objective.ctc_weight:
            raise ValueError("translation is the decoder's alone: objective.decoder_weight above 0, ctc_weight 0")
        # HuBERT has no decoder.
        refuse_other_kinds(self.model, "speecht5", "speechlm", "speechut")


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
