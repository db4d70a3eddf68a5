"""The configuration of SpeechUT and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any

from sprachbund.models.speech_encoder import reduced_stack, waveform_layers
from sprachbund.models.speech_units.config import (
    DECODER_DISTANCE,
    RELATIVE_DISTANCE,
    SpeechUnitConfig,
    base_decoder,
    large_stack,
)
from sprachbund.nn.transformer import StackConfig


@dataclass(frozen=True, kw_only=True)
class SpeechUTConfig(SpeechUnitConfig):
    """Sizes, parts and rates. The defaults are the published base model (SpeechUT, section 4.1)."""

    decoder: StackConfig | None = field(default_factory=base_decoder)
    """The text decoder; None for a model without."""

    @classmethod
    def base(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechUTConfig":
        """The published base model, 156 million parameters."""
        return replace(cls(vocab_size=vocab_size, num_units=num_units), **changes)

    @classmethod
    def large(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechUTConfig":
        """The published large model, 379 million parameters; its decoder is as wide as that of the base model."""
        config = cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=large_stack(),
            unit_encoder=replace(large_stack(), norm_first=False),
            max_unit_positions=None,
            decoder=replace(base_decoder(), dropout=0.0, attention_dropout=0.0),
            dropout=0.0,
            conv_norm="layer",
            is_normalized=True,
            frontend_gradient_scale=1.0,
            unit_dim=768,
        )
        return replace(config, **changes)

    @classmethod
    def small(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechUTConfig":
        """A model of ours that two processor cores train in hours."""
        return replace(cls._reduced(vocab_size, num_units, dim=192, channels=96, layers=(3, 3)), **changes)

    @classmethod
    def tiny(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechUTConfig":
        """A model of ours that two processor cores train in minutes."""
        return replace(cls._reduced(vocab_size, num_units, dim=128, channels=64, layers=(2, 2)), **changes)

    @classmethod
    def _reduced(
        cls, vocab_size: int | None, num_units: int | None, *, dim: int, channels: int, layers: tuple[int, int]
    ) -> "SpeechUTConfig":
        return cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=reduced_stack(dim, layers[0], RELATIVE_DISTANCE),
            unit_encoder=reduced_stack(dim, layers[0], RELATIVE_DISTANCE),
            # Relative positions are enough, and recordings of any length can be read.
            max_unit_positions=None,
            # With this norm CTC takes longer to leave the blanks.
            has_unit_embedding_norm=False,
            decoder=reduced_stack(dim, layers[1], DECODER_DISTANCE),
            conv_layers=waveform_layers(channels),
            frontend_gradient_scale=1.0,
            position_kernel=64,
            position_groups=8,
            unit_dim=dim // 2,
        )
