"""Units of phones at once: cross entropy of the units and the squared error of log-durations (FastSpeech 2)."""

from dataclasses import dataclass

import torch
from torch import nn

from sprachbund.config import NotNegative, Probability
from sprachbund.data.batches.batch import TextToUnitBatch
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.text_to_unit.model import TextToUnit
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.text import PADDING, token_cross_entropy
from sprachbund.shapes import Bool, Float, Tensor


@dataclass(frozen=True, kw_only=True)
class UnitPredictionConfig:
    """What the loss is made of."""

    label_smoothing: Probability = 0.0
    """Probability that the cross entropy spreads over wrong units."""
    duration_weight: NotNegative = 1.0
    """Squared error of ``log(1 + duration)``; with 0 durations are not learned."""


class UnitPrediction(nn.Module):
    """Phones and their true durations in, units out.

    Cross entropy is a mean over units; the errors of durations, and of pitch and energy where the batch has them, are
    means over phones.
    """

    def __init__(self, model: TextToUnit, config: UnitPredictionConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = UnitPredictionConfig() if config is None else config

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far; nothing here follows it."""

    def forward(self, batch: TextToUnitBatch) -> Loss:
        """The loss of one micro-batch."""
        predicted = self.model.predict_units(
            batch.tokens, batch.token_lengths, batch.durations, pitches=batch.pitches, energies=batch.energies
        )
        units = token_cross_entropy(predicted.logits, batch.units, self.config.label_smoothing)
        valid = ~padding_mask_from_lengths(batch.token_lengths, batch.tokens.shape[1])
        errors = {
            "durations": _errors(predicted.log_durations, torch.log1p(batch.durations.float()), valid),
            "pitches": _errors(predicted.pitches, batch.pitches, valid),
            "energies": _errors(predicted.energies, batch.energies, valid),
        }
        sums = {"units": units.smoothed, **{name: error.square().sum() for name, error in errors.items()}}
        terms = (LossTerm(name, self._weight(name), sums[name], count) for name, count in self.counts(batch).items())
        off = errors["durations"].detach().abs()
        figures: dict[str, Figure] = {
            "unit_accuracy": (units.correct, units.num_tokens),
            "log_duration_error": (off.sum(), float(len(off))),
        }
        return Loss(tuple(terms), figures)

    def counts(self, batch: TextToUnitBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        counts = {"units": float((batch.units != PADDING).sum())}
        given = {"durations": batch.durations, "pitches": batch.pitches, "energies": batch.energies}
        for name, values in given.items():
            if values is not None and self._weight(name):
                counts[name] = float(batch.token_lengths.sum())
        return counts

    def _weight(self, name: str) -> float:
        return self.config.duration_weight if name == "durations" else 1.0


def _errors(
    predicted: Float[Tensor, "batch token"] | None,
    wanted: Float[Tensor, "batch token"] | None,
    valid: Bool[Tensor, "batch token"],
) -> Float[Tensor, " phone"]:
    """By how much a number is off, of every phone that is not padding; of none where there is nothing to compare."""
    if predicted is None or wanted is None:
        return torch.zeros(0, device=valid.device)
    return predicted[valid].float() - wanted[valid].float()
