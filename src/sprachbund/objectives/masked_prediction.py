"""Masked prediction: an encoder learns by telling the units of frames it cannot hear (HuBERT, section II)."""

from dataclasses import dataclass

from torch import nn

from sprachbund.config import NotNegative
from sprachbund.data.batches.batch import UnitBatch
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.objectives.masked_units import encode_masked, require_unit_prediction, unit_targets, unit_terms


@dataclass(frozen=True, kw_only=True)
class MaskedPredictionConfig:
    """Weights of the terms; a weight of 0 removes its term and whatever only it needs."""

    masked_weight: NotNegative = 1.0
    """Cross entropy of units at masked frames."""
    unmasked_weight: NotNegative = 0.0
    """Cross entropy of units at frames that are not masked."""
    feature_penalty_weight: NotNegative = 10.0
    """Mean square of the front-end's features."""


class MaskedPrediction(nn.Module):
    """Speech in, units out.

    Args:
        model: any with a speech encoder and unit prediction.
        config: the weights.

    Raises:
        RecipeError: the model predicts no units.
    """

    def __init__(self, model: SpeechEncoder, config: MaskedPredictionConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = MaskedPredictionConfig() if config is None else config
        require_unit_prediction(model)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batch: UnitBatch) -> Loss:
        """The loss of one micro-batch."""
        config = self.config
        targets = unit_targets(self.model, batch)
        encoded = encode_masked(self.model, batch, targets, with_energy=bool(config.feature_penalty_weight))
        weights = {"masked": config.masked_weight, "unmasked": config.unmasked_weight}
        terms, figures = unit_terms(self.model.unit_logits, encoded.states, targets, weights)
        if encoded.energy is not None:
            terms.append(LossTerm("feature_penalty", config.feature_penalty_weight, encoded.energy, targets.num_cells))
        return Loss(tuple(terms), figures)

    def counts(self, batch: UnitBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        targets = unit_targets(self.model, batch)
        wanted = {
            "masked_units": (self.config.masked_weight, float(targets.masked.sum())),
            "unmasked_units": (self.config.unmasked_weight, float(targets.unmasked.sum())),
            "feature_penalty": (self.config.feature_penalty_weight, targets.num_cells),
        }
        return {name: count for name, (weight, count) in wanted.items() if weight}
