"""The configuration of SpeechLM and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any

from sprachbund.config import Size
from sprachbund.models.speech_encoder import reduced_stack, waveform_layers
from sprachbund.models.speech_units.config import RELATIVE_DISTANCE, SpeechUnitConfig, base_stack, large_stack
from sprachbund.nn.transformer import StackConfig


def _stack() -> StackConfig:
    return replace(base_stack(), layerdrop=0.1)


@dataclass(frozen=True, kw_only=True)
class SpeechLMConfig(SpeechUnitConfig):
    """Sizes, parts and rates. The defaults are the published base model (SpeechLM, section 4.1)."""

    encoder: StackConfig = field(default_factory=_stack)
    """The layers that read speech."""
    unit_encoder: StackConfig = field(default_factory=_stack)
    """The shared layers above, which read units as well."""
    num_top_units: Size | None = None
    """Entries of a second unit dictionary that the states at the top tell; None where both places tell the same."""

    @classmethod
    def base(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechLMConfig":
        """The published base model, 99 million parameters."""
        return replace(cls(vocab_size=vocab_size, num_units=num_units), **changes)

    @classmethod
    def large(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechLMConfig":
        """The published large model, 322 million parameters."""
        config = cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=large_stack(),
            unit_encoder=large_stack(),
            dropout=0.0,
            conv_norm="layer",
            is_normalized=True,
            frontend_gradient_scale=1.0,
        )
        return replace(config, **changes)

    @classmethod
    def small(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechLMConfig":
        """A model of ours that two processor cores train in hours."""
        return replace(cls._reduced(vocab_size, num_units, dim=192, channels=96, num_layers=3), **changes)

    @classmethod
    def tiny(cls, vocab_size: int | None, num_units: int | None, **changes: Any) -> "SpeechLMConfig":
        """A model of ours that two processor cores train in minutes."""
        return replace(cls._reduced(vocab_size, num_units, dim=128, channels=64, num_layers=2), **changes)

    @classmethod
    def _reduced(
        cls, vocab_size: int | None, num_units: int | None, *, dim: int, channels: int, num_layers: int
    ) -> "SpeechLMConfig":
        return cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=reduced_stack(dim, num_layers, RELATIVE_DISTANCE),
            unit_encoder=reduced_stack(dim, num_layers, RELATIVE_DISTANCE),
            # Relative positions are enough, and recordings of any length can be read.
            max_unit_positions=None,
            # With this norm CTC takes longer to leave the blanks.
            has_unit_embedding_norm=False,
            conv_layers=waveform_layers(channels),
            frontend_gradient_scale=1.0,
            position_kernel=64,
            position_groups=8,
            unit_dim=dim // 2,
        )
