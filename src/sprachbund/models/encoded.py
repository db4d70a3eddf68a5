"""What encoders return, whichever model they belong to."""

from dataclasses import dataclass

from sprachbund.lengths import padding_mask_from_lengths
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
    """Speech encoded, with what was wanted of the front-end's features: their summed squares, themselves normalised."""

    energy: Float[Tensor, ""] | None = None
    features: Float[Tensor, "batch frame channel"] | None = None


@dataclass(frozen=True)
class LayerStates:
    """States after chosen layers of an encoder; zero at padding."""

    states: tuple[Float[Tensor, "batch frame dim"], ...]
    lengths: Int[Tensor, " batch"]
