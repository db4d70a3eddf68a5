"""What the verbs of SpeechT5 return beside `models.encoded`."""

from dataclasses import dataclass

from sprachbund.models.encoded import Encoded
from sprachbund.nn.quantizer import Quantized
from sprachbund.shapes import Float, Tensor


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
