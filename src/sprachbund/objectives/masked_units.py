"""Units at masked and unmasked frames: what is to be predicted, and the cross entropy of it (HuBERT, section II-B)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from sprachbund.data.batches.batch import UnitBatch
from sprachbund.errors import RecipeError
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.encoded import EncodedSpeech
from sprachbund.models.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from sprachbund.objectives.loss import Figure, LossTerm
from sprachbund.shapes import Bool, Float, Int, Tensor

PADDING = 1


@dataclass(frozen=True)
class UnitTargets:
    """The units of a batch frame by frame, and which frames are judged."""

    units: Int[Tensor, "batch frame"]
    masked: Bool[Tensor, "batch frame"]
    unmasked: Bool[Tensor, "batch frame"]
    num_cells: float  # of the front-end's features that the penalty averages over


def unit_targets(
    model: SpeechEncoder, batch: UnitBatch, labels: Int[Tensor, "batch label"] | None = None, offset: int = 0
) -> UnitTargets:
    """Frame t takes the label at time t; frames that have none are not judged.

    Args:
        model: that hears the batch.
        batch: of speech.
        labels: of the same speech at the same rate; None for the batch's units.
        offset: added to the place of every label.
    """
    max_frames = labelled_frames(model.config, batch)
    lengths, num_frames = model.speech_prenet.frame_lengths(
        batch.waveform_lengths, batch.waveforms.shape[1], max_frames
    )
    units = frame_labels(batch.units if labels is None else labels, num_frames, labels_per_frame(model.config), offset)
    judged = ~padding_mask_from_lengths(lengths, num_frames)
    num_frames_counted = float(lengths.sum())
    if model.config.original_numerics:
        num_frames_counted = float(num_frames * len(lengths))
    else:
        judged = judged & (units != PADDING)
    masked = batch.time_mask[:, :num_frames]
    cells = num_frames_counted * model.config.conv_layers[-1][0]
    return UnitTargets(units, judged & masked, judged & ~masked, cells)


def frame_labels(
    labels: Int[Tensor, "batch label"], num_frames: int, step: float, offset: int = 0
) -> Int[Tensor, "batch frame"]:
    """The label of every frame, padding after the last one.

    Args:
        labels: padded at the end.
        num_frames: how many to find.
        step: labels a frame.
        offset: added to the place of every label, below `step`.
    """
    places = (torch.arange(num_frames, device=labels.device).float() * step).long() + offset
    return F.pad(labels, (0, 1), value=PADDING)[:, places.clamp(max=labels.shape[1])]


def encode_masked(model: SpeechEncoder, batch: UnitBatch, targets: UnitTargets, *, with_energy: bool) -> EncodedSpeech:
    """The batch under its masks, as many frames as `targets` has."""
    return model.encode_speech(
        batch.waveforms,
        batch.waveform_lengths,
        time_mask=batch.time_mask[:, : targets.units.shape[1]],
        channel_mask=batch.channel_mask,
        max_frames=labelled_frames(model.config, batch),
        with_energy=with_energy,
    )


def unit_terms(
    predict: Callable[[Tensor], Tensor],
    states: Float[Tensor, "batch frame dim"],
    targets: UnitTargets,
    weights: Mapping[str, float],
) -> tuple[list[LossTerm], dict[str, Figure]]:
    """Cross entropy and accuracy at masked and at unmasked frames; a weight of 0 leaves the accuracy alone.

    Args:
        predict: from states to the logits of units.
        states: of the encoder.
        targets: of the same frames.
        weights: of "masked" and "unmasked".
    """
    terms: list[LossTerm] = []
    figures: dict[str, Figure] = {}
    for name, weight in weights.items():
        chosen = targets.masked if name == "masked" else targets.unmasked
        wanted = targets.units[chosen].long()
        with torch.set_grad_enabled(torch.is_grad_enabled() and weight != 0):
            logits = predict(states[chosen])
            loss = F.cross_entropy(logits, wanted, reduction="sum")
        correct = (logits.detach().argmax(dim=1) == wanted).sum().float()
        figures[f"{name}_accuracy"] = (correct, float(len(wanted)))
        if weight:
            terms.append(LossTerm(f"{name}_units", weight, loss, float(len(wanted))))
    return terms, figures


def require_unit_prediction(model: SpeechEncoder) -> None:
    """Refuse a model without a head for units.

    Raises:
        RecipeError: it has none.
    """
    if model.unit_predictor is None:
        raise RecipeError(
            "units are to be predicted, and the model does not predict any",
            given="no unit prediction",
            mend="Give the model unit prediction, or set masked_weight and unmasked_weight to 0.",
        )


def labelled_frames(config: SpeechEncoderConfig, batch: UnitBatch) -> int | None:
    """Frames that the whole batch is cut to, as the original does; here frames without labels only stay out of the
    loss.
    """
    if not config.original_numerics:
        return None
    return int(batch.units.shape[1] / labels_per_frame(config))


def labels_per_frame(config: SpeechEncoderConfig) -> float:
    """Units of a frame of the encoder: 1 at 50 a second, 2 at 100."""
    samples_a_frame = 1
    for _, _, stride in config.conv_layers:
        samples_a_frame *= stride
    return config.unit_rate * samples_a_frame / 16000
