"""What the verbs of SpeechT5 return."""

from dataclasses import dataclass

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.nn.quantizer import Quantized
from sprachbund.shapes import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Encoded:
    """What the encoder made of speech or text."""

    states: Float[Tensor, "batch frame dim"]
    lengths: Int[Tensor, " batch"]

    @property
    def padding_mask(self) -> Bool[Tensor, "batch frame"]:
        """True at padding."""
        return padding_mask_from_lengths(self.lengths, self.states.shape[1])


@dataclass(frozen=True)
class EncodedSpeech(Encoded):
    """Speech encoded, and the summed squares of the front-end's features if they were wanted."""

    energy: Float[Tensor, ""] | None = None


@dataclass(frozen=True)
class Mixed:
    """Encoder states, some replaced by their code vectors, and the codes of all of them."""

    encoded: Encoded
    quantized: Quantized


@dataclass(frozen=True)
class Spectrogram:
    """What the decoder predicts of speech."""

    before: Float[Tensor, "batch mel_frame mel"]
    """Frames before the refining convolutions."""
    after: Float[Tensor, "batch mel_frame mel"]
    """Frames after them."""
    stop_logits: Float[Tensor, "batch mel_frame"]
    """Above zero where speech has ended."""
    attention: tuple[Float[Tensor, "batch head step frame"], ...]
    """Each layer's weights over the encoder's states, if they were wanted."""
