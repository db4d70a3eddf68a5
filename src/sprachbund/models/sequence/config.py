"""The configuration of the model from tokens to tokens, and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any

from sprachbund.config import Probability, Size
from sprachbund.nn.transformer import StackConfig


def _stack() -> StackConfig:
    # Layers that normalise first bear higher rates, which short budgets need.
    return StackConfig(
        dim=256,
        ffn_dim=1024,
        num_layers=6,
        num_heads=4,
        norm_first=True,
        layerdrop=0.0,
        activation="relu",
        max_relative_distance=None,
    )


@dataclass(frozen=True, kw_only=True)
class SequenceConfig:
    """Sizes and rates. The defaults are the base size, for reduced units of text (SpeechUT, Zhang et al. 2022).

    The paper says of its generator that it is an encoder-decoder trained on a little paired data; the sizes are ours.
    """

    vocab_size: Size
    """Entries of the dictionary of what is read, its four specials included."""
    num_targets: Size
    """Entries of the dictionary of what is written, its four specials included."""
    encoder: StackConfig = field(default_factory=_stack)
    """The layers that read."""
    decoder: StackConfig = field(default_factory=_stack)
    """The layers that write; they have no relative positions in use."""
    dropout: Probability = 0.1
    """Dropout after the embeddings."""

    @classmethod
    def base(cls, vocab_size: int, num_targets: int, **changes: Any) -> "SequenceConfig":
        """Six layers on either side, 11 million parameters."""
        return replace(cls(vocab_size=vocab_size, num_targets=num_targets), **changes)

    @classmethod
    def tiny(cls, vocab_size: int, num_targets: int, **changes: Any) -> "SequenceConfig":
        """Half as wide and few layers, one million parameters: for pronunciations, and for little data."""
        # Random numbers for every attention weight cost a tenth of the step.
        stack = replace(_stack(), dim=128, ffn_dim=512, attention_dropout=0.0)
        config = cls(
            vocab_size=vocab_size,
            num_targets=num_targets,
            encoder=replace(stack, num_layers=3),
            decoder=replace(stack, num_layers=2),
        )
        return replace(config, **changes)
