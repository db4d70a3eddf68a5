"""The contrastive task: an encoder learns by telling masked frames from others (wav2vec 2.0, section 3.2)."""

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.data.batches.batch import ContrastiveBatch
from sprachbund.errors import RecipeError
from sprachbund.models.encoded import EncodedSpeech
from sprachbund.models.hubert.model import Hubert
from sprachbund.nn.quantizer import Quantized
from sprachbund.objectives.loss import Figure, Loss, LossTerm
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.shapes import Bool, Float, Int, Tensor


class ContrastivePrediction(nn.Module):
    """Speech in, the quantized features of masked frames told from those of other masked frames of the utterance.

    Args:
        model: with a contrastive head.
        config: weights of the term and of the feature penalty.
        diversity_weight: of the share of the codebook that is not in use.

    Raises:
        RecipeError: the model has no such head, or unmasked frames are to be judged.
    """

    def __init__(
        self, model: Hubert, config: MaskedPredictionConfig | None = None, diversity_weight: float = 0.1
    ) -> None:
        super().__init__()
        self.model = model
        self.config = MaskedPredictionConfig() if config is None else config
        self.diversity_weight = diversity_weight
        if model.contrastive_head is None:
            raise RecipeError("the contrastive task needs a head that the model lacks", given="contrastive: null")
        refuse_unmasked_weight(self.config)

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batch: ContrastiveBatch) -> Loss:
        """The loss of one micro-batch."""
        config = self.config
        encoded = self.model.encode_speech(
            batch.waveforms,
            batch.waveform_lengths,
            time_mask=batch.time_mask,
            channel_mask=batch.channel_mask,
            with_energy=bool(config.feature_penalty_weight),
            with_features=True,
        )
        terms, figures = self._contrastive_terms(encoded, batch)
        if encoded.energy is not None:
            count = self._cells(batch)
            terms.append(LossTerm("feature_penalty", config.feature_penalty_weight, encoded.energy, count))
        return Loss(tuple(terms), figures)

    def counts(self, batch: ContrastiveBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        wanted = {
            "contrastive": (self.config.masked_weight, float(self._judged(batch).sum())),
            "diversity": (self.diversity_weight, 1.0),
            "feature_penalty": (self.config.feature_penalty_weight, self._cells(batch)),
        }
        return {name: count for name, (weight, count) in wanted.items() if weight}

    def _contrastive_terms(
        self, encoded: EncodedSpeech, batch: ContrastiveBatch
    ) -> tuple[list[LossTerm], dict[str, Figure]]:
        head = self.model.contrastive_head
        assert head is not None and encoded.features is not None
        judged = self._judged(batch)
        count = float(judged.sum())
        nothing = encoded.states.sum() * 0.0
        loss, diversity, figures = nothing, nothing, dict[str, Figure]()
        if count:
            quantized = head.quantize(encoded.features[judged], batch.seed)
            logits = head(encoded.states[judged], quantized, _positions(batch, judged))
            loss = F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long), reduction="sum")
            diversity = head.quantizer.diversity_loss(quantized)
            figures = _figures(logits.detach(), quantized)
        terms = [
            LossTerm("contrastive", self.config.masked_weight, loss, count),
            LossTerm("diversity", self.diversity_weight, diversity, 1.0),
        ]
        return [term for term in terms if term.weight], figures

    def _judged(self, batch: ContrastiveBatch) -> Bool[Tensor, "batch frame"]:
        """Masked frames of rows that have others."""
        return batch.time_mask & (batch.time_mask.sum(dim=1, keepdim=True) > 1)

    def _cells(self, batch: ContrastiveBatch) -> float:
        return feature_cells(self.model, batch.waveforms.shape[1], batch.waveform_lengths)


def refuse_unmasked_weight(config: MaskedPredictionConfig) -> None:
    """Refuse to judge unmasked frames where there are no units.

    Raises:
        RecipeError: their weight is not 0.
    """
    if config.unmasked_weight:
        raise RecipeError(
            "these targets are predicted at masked frames only",
            given=f"unmasked_weight: {config.unmasked_weight}",
            mend="Set objective.unmasked_weight to 0.",
        )


def feature_cells(model: Hubert, num_samples: int, lengths: Int[Tensor, " batch"]) -> float:
    """Numbers that the feature penalty averages over: channels of valid frames."""
    frames, _ = model.speech_prenet.frame_lengths(lengths, num_samples)
    return float(frames.sum()) * model.config.conv_layers[-1][0]


def _positions(batch: ContrastiveBatch, judged: Bool[Tensor, "batch frame"]) -> Int[Tensor, "position distractor"]:
    """The distractors of judged frames, as places in the list of those frames."""
    places = judged.flatten().cumsum(0) - 1
    rows = judged.nonzero()[:, :1]
    return places[batch.distractors[judged].long() + rows * judged.shape[1]]


def _figures(logits: Float[Tensor, "position candidate"], quantized: Quantized) -> dict[str, Figure]:
    # Where every distractor has the codes of the true frame there was nothing to tell.
    correct = (logits.argmax(dim=1) == 0) & (logits[:, 1:] > float("-inf")).any(dim=1)
    return {
        "contrastive_accuracy": (correct.sum().float(), float(len(logits))),
        "codebook_perplexity": (quantized.probability_perplexity.detach(), 1.0),
        "code_perplexity": (quantized.code_perplexity, 1.0),
    }
