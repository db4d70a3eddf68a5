"""The configuration of SpeechT5 and its named sizes."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sprachbund.config import Few, Positive, Probability, Size
from sprachbund.models.speech_encoder import SpeechEncoderConfig, reduced_stack, waveform_layers
from sprachbund.nn.transformer import StackConfig


def _decoder() -> StackConfig:
    return StackConfig(num_layers=6)


@dataclass(frozen=True, kw_only=True)
class SpeechT5Config(SpeechEncoderConfig):
    """Sizes, branches and rates. The defaults are the published base model (SpeechT5, section 3.1)."""

    vocab_size: Size
    """Entries of the text dictionary, specials and added symbols included."""
    num_units: Size = 504
    """Entries of the hidden-unit dictionary, its four specials included."""

    decoder: StackConfig = field(default_factory=_decoder)
    """The shared decoder; it has no relative positions in use."""
    has_speech_sinusoids: bool = True
    """Add sinusoidal positions to speech as well."""

    share_embeddings: bool = True
    """One matrix for text embeddings of encoder and decoder and for the output projection."""
    share_ctc_embeddings: bool = False
    """Let the CTC head use the text embeddings as well, without a bias."""
    initial_encoder_scale: float | None = 1.0
    """First value of the learned factor on text positions; None for the unscaled kind."""
    encoder_position_dropout: Probability = 0.1
    """Dropout after text positions of the encoder."""
    scale_embedding: bool = False
    """Multiply the decoder's text embeddings by the square root of their width."""
    has_text_positions: bool = True
    """Add sinusoidal positions to text in the decoder."""
    has_embedding_norm: bool = False
    """Normalise the decoder's text embeddings."""

    num_mels: Size = 80
    """Bands of the log-mel spectrogram."""
    reduction_factor: Size = 2
    """Spectrogram frames that one decoder step yields."""
    mel_prenet_layers: Few = 2
    """ReLU layers before the decoder."""
    mel_prenet_dim: Size = 256
    """Their width."""
    mel_prenet_dropout: Probability = 0.5
    """Their dropout, on in evaluation too."""
    initial_decoder_scale: float | None = 1.0
    """First value of the learned factor on spectrogram positions; None for the unscaled kind."""
    decoder_position_dropout: Probability = 0.1
    """Dropout after spectrogram positions."""
    speaker_dim: Size | None = 512
    """Width of a speaker embedding; None for a decoder that takes none."""
    postnet_layers: Few = 5
    """Convolutions that refine the spectrogram."""
    postnet_channels: Size = 256
    """Channels between them."""
    postnet_kernel: Size = 5
    """Frames each spans."""
    postnet_dropout: Probability = 0.5
    """Their dropout."""
    has_postnet_norm: bool = True
    """Whether they have batch norms."""

    has_unit_prediction: bool = True
    """Whether the model predicts hidden units."""
    has_quantizer: bool = True
    """Whether the model has a codebook."""
    quantizer_rule: Literal["gumbel", "nearest"] = "gumbel"
    """Draw codes from a Gumbel softmax as the released code does, or take the nearest code as the paper writes."""
    codebook_groups: Size = 2
    """Parts of a state that take a code each."""
    codes_per_group: Size = 100
    """Codes of a group."""
    codebook_temperature: tuple[Positive, Positive, Positive] = (2.0, 0.5, 0.999995)
    """First and lowest Gumbel temperature, and its factor an optimizer step."""

    num_speakers: Size | None = None
    """Classes of the utterance classifier; None for a model without."""
    has_speaker_norm: bool = False
    """Batch norm before the utterance classifier."""
    speaker_embedding_dim: Size | None = None
    """Width of a further layer of the utterance classifier; None for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share_embeddings and self.encoder.dim != self.decoder.dim:
            raise ValueError("share_embeddings needs encoder.dim and decoder.dim to be equal")
        if self.has_quantizer and self.encoder.dim % self.codebook_groups:
            raise ValueError(f"codebook_groups ({self.codebook_groups}) must divide encoder.dim ({self.encoder.dim})")

    @property
    def blank(self) -> int:
        """The id of the CTC blank: the last entry of the dictionary."""
        return self.vocab_size - 1

    @classmethod
    def base(cls, vocab_size: int, num_units: int = 504, **changes: Any) -> "SpeechT5Config":
        """The published base model, 154 million parameters."""
        return replace(cls(vocab_size=vocab_size, num_units=num_units), **changes)

    @classmethod
    def large(cls, vocab_size: int, num_units: int = 504, **changes: Any) -> "SpeechT5Config":
        """The published large model, 421 million parameters."""
        stack = StackConfig(
            dim=1024,
            ffn_dim=4096,
            num_layers=24,
            num_heads=16,
            norm_first=True,
            dropout=0.0,
            attention_dropout=0.0,
            layerdrop=0.0,
        )
        config = cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=stack,
            decoder=replace(stack, num_layers=6),
            dropout=0.0,
            conv_norm="layer",
            is_normalized=True,
            frontend_gradient_scale=1.0,
            unit_dim=768,
        )
        return replace(config, **changes)

    @classmethod
    def small(cls, vocab_size: int, num_units: int = 504, **changes: Any) -> "SpeechT5Config":
        """A model of ours that two processor cores train in hours."""
        return replace(cls._reduced(vocab_size, num_units, dim=192, channels=96, layers=(6, 3)), **changes)

    @classmethod
    def tiny(cls, vocab_size: int, num_units: int = 504, **changes: Any) -> "SpeechT5Config":
        """A model of ours that two processor cores train in minutes."""
        return replace(cls._reduced(vocab_size, num_units, dim=128, channels=64, layers=(4, 2)), **changes)

    @classmethod
    def _reduced(
        cls, vocab_size: int, num_units: int, *, dim: int, channels: int, layers: tuple[int, int]
    ) -> "SpeechT5Config":
        stack = reduced_stack(dim, layers[0], 80)
        return cls(
            vocab_size=vocab_size,
            num_units=num_units,
            encoder=stack,
            decoder=replace(stack, num_layers=layers[1]),
            conv_layers=waveform_layers(channels),
            frontend_gradient_scale=1.0,
            position_kernel=64,
            position_groups=8,
            mel_prenet_dim=64,
            postnet_layers=3,
            postnet_channels=64,
            unit_dim=dim // 2,
            codes_per_group=50,
        )
