"""The configuration of HuBERT and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any

from sprachbund.config import Size
from sprachbund.models.speech_encoder import SpeechEncoderConfig, reduced_stack, waveform_layers
from sprachbund.nn.contrastive import ContrastiveHeadConfig
from sprachbund.nn.transformer import StackConfig


def _stack() -> StackConfig:
    return StackConfig(max_relative_distance=None)


@dataclass(frozen=True, kw_only=True)
class HubertConfig(SpeechEncoderConfig):
    """Sizes, heads and rates. The defaults are the published base model (HuBERT, table I)."""

    encoder: StackConfig = field(default_factory=_stack)
    """The Transformer layers."""
    num_units: Size | None = 504
    """Entries of the hidden-unit dictionary, its four specials included; None for an encoder that predicts none."""
    vocab_size: Size | None = None
    """Entries of the text dictionary that a CTC head is over; None for a model without one."""
    contrastive: ContrastiveHeadConfig | None = None
    """Sizes of the head of the contrastive task; None for a model without one."""

    @property
    def blank(self) -> int | None:
        """The id of the CTC blank: the last entry of the dictionary."""
        return None if self.vocab_size is None else self.vocab_size - 1

    @classmethod
    def base(cls, num_units: int | None = 504, **changes: Any) -> "HubertConfig":
        """The published base model, 95 million parameters."""
        return replace(cls(num_units=num_units), **changes)

    @classmethod
    def large(cls, num_units: int | None = 504, **changes: Any) -> "HubertConfig":
        """The published large model, 317 million parameters."""
        stack = StackConfig(
            dim=1024,
            ffn_dim=4096,
            num_layers=24,
            num_heads=16,
            norm_first=True,
            dropout=0.0,
            attention_dropout=0.0,
            layerdrop=0.0,
            max_relative_distance=None,
        )
        config = cls(
            num_units=num_units,
            encoder=stack,
            dropout=0.0,
            conv_norm="layer",
            is_normalized=True,
            frontend_gradient_scale=1.0,
            unit_dim=768,
        )
        return replace(config, **changes)

    @classmethod
    def small(cls, num_units: int | None = 504, **changes: Any) -> "HubertConfig":
        """A model of ours that two processor cores train in hours."""
        return replace(cls._reduced(num_units, dim=256, channels=128, num_layers=6), **changes)

    @classmethod
    def tiny(cls, num_units: int | None = 504, **changes: Any) -> "HubertConfig":
        """A model of ours that two processor cores train in minutes."""
        return replace(cls._reduced(num_units, dim=128, channels=64, num_layers=4), **changes)

    @classmethod
    def _reduced(cls, num_units: int | None, *, dim: int, channels: int, num_layers: int) -> "HubertConfig":
        return cls(
            num_units=num_units,
            encoder=reduced_stack(dim, num_layers, None),
            conv_layers=waveform_layers(channels),
            frontend_gradient_scale=1.0,
            position_kernel=64,
            position_groups=8,
            unit_dim=dim // 2,
        )
