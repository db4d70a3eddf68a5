"""The configuration of the language model, and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sprachbund.config import Probability, Size
from sprachbund.nn.transformer import StackConfig


def _stack(**changes: Any) -> StackConfig:
    stack = StackConfig(
        dim=512,
        ffn_dim=2048,
        num_layers=6,
        num_heads=8,
        norm_first=True,
        layerdrop=0.0,
        activation="gelu",
        max_relative_distance=None,
    )
    return replace(stack, **changes)


@dataclass(frozen=True, kw_only=True)
class TransformerLanguageConfig:
    """Sizes and rates. The defaults are the usual small model of fairseq, which normalises first."""

    vocab_size: Size
    """Entries of the dictionary, its four specials included."""
    decoder: StackConfig = field(default_factory=_stack)
    """The layers; they have no relative positions."""
    dropout: Probability = 0.1
    """Dropout after the embeddings."""
    share_embeddings: bool = True
    """Let the output share the weights of the embeddings."""
    scale_embedding: bool = True
    """Multiply embeddings by the square root of their width."""
    positions: Literal["sinusoids", "learned", "none"] = "sinusoids"
    """What tells the layers where a token stands."""
    max_positions: Size = 1024
    """Longest line where positions are learned, its beginning included; sinusoids have no end."""
    has_embedding_norm: bool = False
    """Normalise the sum of embeddings and positions."""
    has_final_norm: bool = True
    """Normalise the output of layers that normalise first."""

    @classmethod
    def base(cls, vocab_size: int, **changes: Any) -> "TransformerLanguageConfig":
        """Six layers, 19 million parameters beside the embeddings."""
        return replace(cls(vocab_size=vocab_size), **changes)

    @classmethod
    def large(cls, vocab_size: int, **changes: Any) -> "TransformerLanguageConfig":
        """The size that SpeechT5's recipes use on LibriSpeech: 20 layers, 446 million parameters."""
        stack = _stack(dim=1280, ffn_dim=6144, num_layers=20, num_heads=16)
        return replace(cls(vocab_size=vocab_size, decoder=stack), **changes)

    @classmethod
    def tiny(cls, vocab_size: int, **changes: Any) -> "TransformerLanguageConfig":
        """A model of ours that a processor core trains in half an hour, two million parameters."""
        # Random numbers for every attention weight cost a tenth of the step.
        stack = _stack(dim=192, ffn_dim=768, num_layers=4, num_heads=4, dropout=0.0, attention_dropout=0.0)
        return replace(cls(vocab_size=vocab_size, decoder=stack, dropout=0.0), **changes)
