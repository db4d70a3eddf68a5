"""The configuration that SpeechLM and SpeechUT share."""

from dataclasses import dataclass, field

from sprachbund.config import Probability, Size
from sprachbund.models.speech_encoder import SpeechEncoderConfig
from sprachbund.nn.transformer import StackConfig

DECODER_DISTANCE = 24
"""Distance beyond which relative positions of text are alike."""
RELATIVE_DISTANCE = 80
"""The same of frames and units, in the sizes that are ours."""
BLANK = 0
"""The CTC blank is the first entry of the text dictionary, the begin of a sentence."""


def base_stack() -> StackConfig:
    """Half of the layers of a published base model."""
    return StackConfig(num_layers=6, num_heads=8, layerdrop=0.0)


def large_stack() -> StackConfig:
    """Half of the layers of a published large model."""
    return StackConfig(
        dim=1024,
        ffn_dim=4096,
        num_layers=12,
        num_heads=16,
        norm_first=True,
        dropout=0.0,
        attention_dropout=0.0,
        layerdrop=0.0,
    )


def base_decoder() -> StackConfig:
    """The published text decoder, that of the large models too."""
    return StackConfig(num_layers=6, num_heads=12, layerdrop=0.1, max_relative_distance=DECODER_DISTANCE)


@dataclass(frozen=True, kw_only=True)
class SpeechUnitConfig(SpeechEncoderConfig):
    """Sizes, parts and rates; `encoder` is the speech Transformer. The defaults are the published base sizes."""

    vocab_size: Size | None
    """Entries of the text dictionary, specials included; None for a model that knows no text."""
    num_units: Size | None
    """Entries of the unit dictionary, its four specials included; None for a model that is fine-tuned and has no more
    use for units."""
    encoder: StackConfig = field(default_factory=base_stack)
    """The layers that read speech."""
    unit_encoder: StackConfig = field(default_factory=base_stack)
    """The layers above, which read units as well."""

    max_unit_positions: Size | None = 3000
    """Learned positions of the unit encoder; None for one without."""
    has_unit_embedding_norm: bool = True
    """Normalise what the unit encoder reads."""
    scale_unit_embedding: bool = False
    """Multiply what the unit encoder reads by the square root of its width."""

    has_ctc_head: bool = True
    """Whether the model has a CTC head over its text dictionary."""
    ctc_kernel: Size = 2
    """States that a frame of the CTC head is made of."""
    ctc_dropout: Probability = 0.1
    """Dropout in the CTC head."""

    decoder: StackConfig | None = None
    """The text decoder; None for a model without."""
    scale_decoder_embedding: bool = True
    """Multiply the decoder's embeddings by the square root of their width."""
    has_decoder_positions: bool = True
    """Add sinusoidal positions in the decoder."""
    has_decoder_embedding_norm: bool = False
    """Normalise the decoder's embeddings."""
    share_decoder_embeddings: bool = False
    """One matrix for the decoder's embeddings and its output."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder.dim != self.unit_encoder.dim:
            raise ValueError(
                f"encoder.dim ({self.encoder.dim}) and unit_encoder.dim ({self.unit_encoder.dim}) must be equal"
            )
        if self.vocab_size is None and (self.has_ctc_head or self.decoder is not None):
            raise ValueError("a CTC head and a decoder need a text dictionary: vocab_size is null")

    @property
    def blank(self) -> int | None:
        """The id of the CTC blank: the first entry of the dictionary."""
        return BLANK if self.has_ctc_head else None
