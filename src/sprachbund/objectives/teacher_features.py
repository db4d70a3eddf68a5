"""Teacher features: an encoder learns to tell what another, frozen one makes of the frames that it cannot hear.

A simple form of data2vec (Baevski et al., 2022, section 3): the teacher hears the whole clip, one of its layers is
normalised over the clip, and the mean squared error at masked frames is minimised. The teacher does not move.
"""

import torch
from torch import nn

from sprachbund.data.batches.batch import TeacherBatch
from sprachbund.errors import RecipeError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.nn.precision import single_precision
from sprachbund.objectives.contrastive import feature_cells, refuse_unmasked_weight
from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.objectives.masked_prediction import MaskedPredictionConfig
from sprachbund.shapes import Bool, Float, Int, Tensor


class FrozenTeacher:
    """A layer of an encoder that never learns; not a module, so it is in no checkpoint and no model folder.

    Args:
        model: in evaluation mode from here on.
        layer: 0 for what the first layer reads, k for the output of layer k.

    Raises:
        RecipeError: the encoder has no such layer.
    """

    def __init__(self, model: SpeechEncoder, layer: int) -> None:
        model.require_layer(layer)
        self.model, self.layer = model.eval().requires_grad_(False), layer

    @torch.no_grad()
    def __call__(
        self, waveforms: Float[Tensor, "batch sample"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frame dim"]:
        """States of the layer; each channel of a row has zero mean and unit variance over the row's frames."""
        with single_precision(waveforms.device):
            found = self.model.to(waveforms.device).layer_states(waveforms, lengths, [self.layer])
        return normalize_over_time(found.states[0].float(), found.lengths)


class TeacherRegression(nn.Module):
    """Speech in, the teacher's states at masked frames out of a linear map of the encoder's.

    Args:
        model: the encoder that learns.
        teacher: the one that does not.
        config: weights of the term and of the feature penalty.

    Raises:
        RecipeError: the two do not have the same frames, or unmasked frames are to be judged.
    """

    def __init__(self, model: Hubert, teacher: FrozenTeacher, config: MaskedPredictionConfig | None = None) -> None:
        super().__init__()
        self.model, self.teacher = model, teacher
        self.config = MaskedPredictionConfig() if config is None else config
        self.head = nn.Linear(model.dim, teacher.model.dim)
        refuse_unmasked_weight(self.config)
        ours, theirs = (one.speech_prenet.frontend.strides for one in (model, teacher.model))
        if ours != theirs:
            raise RecipeError(
                "the teacher cuts speech into other frames than the model",
                given=f"kernels and strides {theirs} and {ours}",
                mend="Give the model the teacher's conv_layers, or take another teacher.",
            )

    def set_step(self, step: int) -> None:
        """Tell the number of optimizer steps so far."""
        self.model.set_step(step)

    def forward(self, batch: TeacherBatch) -> Loss:
        """The loss of one micro-batch."""
        config = self.config
        encoded = self.model.encode_speech(
            batch.waveforms,
            batch.waveform_lengths,
            time_mask=batch.time_mask,
            channel_mask=batch.channel_mask,
            with_energy=bool(config.feature_penalty_weight),
        )
        wanted = self.teacher(batch.clean, batch.waveform_lengths)[batch.time_mask]
        told = self.head(encoded.states[batch.time_mask]).float()
        counts = self.counts(batch)
        terms = []
        if config.masked_weight:
            loss = (told - wanted).square().mean(dim=1).sum()
            terms.append(LossTerm("teacher_features", config.masked_weight, loss, counts["teacher_features"]))
        if encoded.energy is not None:
            weight = config.feature_penalty_weight
            terms.append(LossTerm("feature_penalty", weight, encoded.energy, counts["feature_penalty"]))
        return Loss(tuple(terms))

    def counts(self, batch: TeacherBatch) -> dict[str, float]:
        """The count of every term of `forward`, from the batch alone."""
        cells = feature_cells(self.model, batch.waveforms.shape[1], batch.waveform_lengths)
        wanted = {
            "teacher_features": (self.config.masked_weight, float(batch.time_mask.sum())),
            "feature_penalty": (self.config.feature_penalty_weight, cells),
        }
        return {name: count for name, (weight, count) in wanted.items() if weight}


def normalize_over_time(
    states: Float[Tensor, "batch frame dim"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "batch frame dim"]:
    """Zero mean and unit variance of each channel over the valid frames of a row; zero at padding."""
    valid: Bool[Tensor, "batch frame 1"] = ~padding_mask_from_lengths(lengths, states.shape[1])[:, :, None]
    share = valid.float() / lengths.clamp(min=1)[:, None, None]
    centred = (states - (states * share).sum(dim=1, keepdim=True)) * valid
    variance = (centred.square() * share).sum(dim=1, keepdim=True)
    return centred * torch.rsqrt(variance + 1e-5)
