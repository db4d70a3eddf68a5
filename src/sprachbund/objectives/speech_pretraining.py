"""Pre-training on speech: masked unit prediction and spectrogram reconstruction (SpeechT5, section 2.2)."""

from dataclasses import dataclass

from torch import nn

from sprachbund.data.batches.batch import SpeechBatch
from sprachbund.models.encoded import Encoded, EncodedSpeech
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.nn.quantizer import Quantized
from sprachbund.objectives.codebook import codebook_counts, codebook_figures, codebook_terms, require_codebook
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.masked_units import (
    UnitTargets,
    encode_masked,
    require_unit_prediction,
    unit_targets,
    unit_terms,
)
from sprachbund.objectives.spectrogram import absolute_distance, spectrogram_counts, spectrogram_target, stop_loss


@dataclass(frozen=True, kw_only=True)
class SpeechPretrainingConfig:
    """Weights of the terms; a weight of 0 removes its term and whatever only it needs."""

    masked_weight: float = 1.0
    """Cross entropy of units at masked frames."""
    unmasked_weight: float = 0.0
    """Cross entropy of units at frames that are not masked."""
    feature_penalty_weight: float = 10.0
    """Mean square of the front-end's features."""
    diversity_weight: float = 0.1
    """Share of the codebook that is not in use."""
    commitment_weight: float = 1.0
    """Distance of states and codes, with the nearest-neighbour rule."""
    spectrogram_weight: float = 1.0
    """Absolute distance of the spectrogram."""
    stop_weight: float = 1.0
    """Cross entropy of the stop labels."""
    stop_positive_weight: float = 5.0
    """How much more a frame where speech ends weighs than another."""
    use_codebook: bool = True
    """Mix codes into what the decoder reads."""


class SpeechPretraining(nn.Module):
    """Speech in, units at masked frames and the spectrogram out.

    Args:
        model: with unit prediction where a unit weight is not 0, with a codebook where it is used.
        config: the weights.

    Raises:
        RecipeError: the model lacks a part that the weights need.
    """

    def __init__(self, model: SpeechT5, config: SpeechPretrainingConfig | None = None) -> None:
        super().__init__()
        self.model = model
        self.config = SpeechPretrainingConfig() if config is None else config
        self.predicts_units = bool(self.config.masked_weight or self.config.unmasked_weight)
        self.decodes = bool(self.config.spectrogram_weight or self.config.stop_weight)
        require_codebook(model, self.config.use_codebook)
        if self.predicts_units:
            require_unit_prediction(model)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batch: SpeechBatch) -> Loss:
        """The loss of one micro-batch."""
        targets = unit_targets(self.model, batch)
        with_energy = bool(self.config.feature_penalty_weight)
        encoded = encode_masked(self.model, batch, targets, with_energy=with_energy)
        terms, figures = self._unit_terms(encoded, targets)
        if encoded.energy is not None:
            weight = self.config.feature_penalty_weight
            terms.append(LossTerm("feature_penalty", weight, encoded.energy, targets.num_cells))
        memory: Encoded = encoded
        if self.config.use_codebook:
            mixed = self.model.mix_codes(encoded, batch.codebook_positions, seed=batch.seed)
            memory = mixed.encoded
            terms.extend(self._codebook_terms(mixed.quantized))
            figures.update(codebook_figures(mixed.quantized))
        if self.decodes:
            terms.extend(self._spectrogram_terms(batch, memory))
        return Loss(tuple(terms), figures)

    def counts(self, batch: SpeechBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        config, model = self.config, self.model.config
        targets = unit_targets(self.model, batch)
        cells, stops = spectrogram_counts(batch.mel_lengths, model.num_mels, model.reduction_factor)
        wanted = {
            "masked_units": (config.masked_weight, float(targets.masked.sum())),
            "unmasked_units": (config.unmasked_weight, float(targets.unmasked.sum())),
            "feature_penalty": (config.feature_penalty_weight, targets.num_cells),
            "spectrogram": (config.spectrogram_weight, cells),
            "stop": (config.stop_weight, stops),
        }
        counts = {name: count for name, (weight, count) in wanted.items() if weight}
        if config.use_codebook:
            counts.update(codebook_counts(self.model, config.diversity_weight, config.commitment_weight))
        return counts

    def _unit_terms(self, encoded: EncodedSpeech, targets: UnitTargets) -> tuple[list[LossTerm], dict[str, Figure]]:
        if not self.predicts_units:
            return [], {}
        weights = {"masked": self.config.masked_weight, "unmasked": self.config.unmasked_weight}
        return unit_terms(self.model.unit_logits, encoded.states, targets, weights)

    def _codebook_terms(self, quantized: Quantized) -> tuple[LossTerm, ...]:
        return codebook_terms(self.model, quantized, self.config.diversity_weight, self.config.commitment_weight)

    def _spectrogram_terms(self, batch: SpeechBatch, memory: Encoded) -> list[LossTerm]:
        model, config = self.model, self.config
        target = spectrogram_target(batch.mels, batch.mel_lengths, model.config.reduction_factor)
        predicted = model.decode_spectrogram(
            target.decoder_input, target.decoder_lengths, batch.speaker_embeddings, memory
        )
        cells, stops = spectrogram_counts(batch.mel_lengths, model.config.num_mels, model.config.reduction_factor)
        terms = []
        if config.spectrogram_weight:
            distance = absolute_distance(predicted, target)
            terms.append(LossTerm("spectrogram", config.spectrogram_weight, distance, cells))
        if config.stop_weight:
            stopping = stop_loss(predicted, target, config.stop_positive_weight)
            terms.append(LossTerm("stop", config.stop_weight, stopping, stops))
        return terms
