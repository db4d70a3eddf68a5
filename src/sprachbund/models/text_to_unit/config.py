"""The configuration of the model from text to units, and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any

from sprachbund.config import Positive, Probability, Size
from sprachbund.nn.convolutional_transformer import ConvolutionalStackConfig
from sprachbund.nn.variance import PredictorConfig, VarianceConfig


@dataclass(frozen=True, kw_only=True)
class TextToUnitConfig:
    """Sizes and rates. The defaults are the published small model, without the weights that it does not use."""

    num_phones: Size
    """Entries of the dictionary of phones, its four specials included."""
    num_units: Size = 504
    """Entries of the hidden-unit dictionary, its four specials included."""
    encoder: ConvolutionalStackConfig = field(default_factory=ConvolutionalStackConfig)
    """The layers over phones."""
    decoder: ConvolutionalStackConfig = field(default_factory=ConvolutionalStackConfig)
    """The layers over units."""
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    """What predicts durations, and pitch and energy."""
    dropout: Probability = 0.2
    """Dropout after the embeddings of phones."""
    position_scale: Positive = 1.0
    """First value of the two learned factors on positions."""
    pitch: VarianceConfig | None = None
    """Pitch of each phone; None for a model without."""
    energy: VarianceConfig | None = None
    """Energy of each phone; None for a model without."""
    original_numerics: bool = False
    """Let padding leak as the released code does. Needed only to compare numbers with it."""

    def __post_init__(self) -> None:
        if self.encoder.dim != self.decoder.dim:
            raise ValueError(f"encoder.dim ({self.encoder.dim}) and decoder.dim ({self.decoder.dim}) must be equal")

    @property
    def vocab_size(self) -> int:
        """Entries of the dictionary of what is read."""
        return self.num_phones

    @classmethod
    def small(cls, num_phones: int, num_units: int = 504, **changes: Any) -> "TextToUnitConfig":
        """The published small model, 40 million parameters."""
        return replace(cls(num_phones=num_phones, num_units=num_units), **changes)

    @classmethod
    def medium(cls, num_phones: int, num_units: int = 504, **changes: Any) -> "TextToUnitConfig":
        """The published model of medium size, 60 million parameters."""
        return cls._sized(num_phones, num_units, ConvolutionalStackConfig(num_layers=6), changes)

    @classmethod
    def large(cls, num_phones: int, num_units: int = 504, **changes: Any) -> "TextToUnitConfig":
        """The published large model, 135 million parameters."""
        stack = ConvolutionalStackConfig(dim=384, ffn_dim=1536, num_layers=6, num_heads=6, attention_dropout=0.1)
        return cls._sized(num_phones, num_units, stack, changes)

    @classmethod
    def tiny(cls, num_phones: int, num_units: int = 504, **changes: Any) -> "TextToUnitConfig":
        """A model of ours that two processor cores train in minutes, 2 million parameters."""
        stack = ConvolutionalStackConfig(dim=128, ffn_dim=256, kernel=5, num_layers=2)
        # Positions of size one are many times larger than embeddings of size one over the root of the width.
        changes = {"predictor": PredictorConfig(dim=128), "position_scale": 0.1, **changes}
        return cls._sized(num_phones, num_units, stack, changes)

    @classmethod
    def _sized(
        cls, num_phones: int, num_units: int, stack: ConvolutionalStackConfig, changes: dict[str, Any]
    ) -> "TextToUnitConfig":
        return replace(cls(num_phones=num_phones, num_units=num_units, encoder=stack, decoder=stack), **changes)
