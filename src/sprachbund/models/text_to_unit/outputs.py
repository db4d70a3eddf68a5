"""What the model from text to units returns."""

from dataclasses import dataclass

from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.vocabulary import PAD, SPECIAL_SYMBOLS


@dataclass(frozen=True)
class PredictedUnits:
    """Units of phones, and how long each phone lasts."""

    logits: Float[Tensor, "batch unit vocab"]
    """Over the unit dictionary."""
    lengths: Int[Tensor, " batch"]
    """Valid units."""
    log_durations: Float[Tensor, "batch token"]
    """Predicted ``log(1 + duration)``; without meaning at padding."""
    durations: Int[Tensor, "batch token"]
    """Units of each phone: those given, else those predicted; 0 at padding."""
    pitches: Float[Tensor, "batch token"] | None = None
    """Predicted, in a model that has pitch."""
    energies: Float[Tensor, "batch token"] | None = None
    """Predicted, in a model that has energy."""

    @property
    def units(self) -> Int[Tensor, "batch unit"]:
        """Ids of the likeliest units, padded; never one of the special symbols, which no speech has."""
        first = len(SPECIAL_SYMBOLS)
        units = self.logits[:, :, first:].argmax(dim=2) + first
        return units.masked_fill(padding_mask_from_lengths(self.lengths, units.shape[1]), PAD)
