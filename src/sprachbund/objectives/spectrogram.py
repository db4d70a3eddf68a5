"""Losses of predicted spectrograms: distance, stopping, and attention near the diagonal."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from sprachbund.data.batches.spectrogram_targets import (
    decoder_input_frames,
    decoder_input_lengths,
    stop_labels,
    trimmed_lengths,
)
from sprachbund.lengths import padding_mask_from_lengths
from sprachbund.models.speecht5.outputs import Spectrogram
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True)
class SpectrogramTarget:
    """What the decoder is fed with and what it is to say, for one reduction factor."""

    decoder_input: Float[Tensor, "batch step mel"]
    """A zero frame, then the last frame of every group but the last group."""
    decoder_lengths: Int[Tensor, " batch"]
    frames: Float[Tensor, "batch mel_frame mel"]
    """Whole groups only."""
    lengths: Int[Tensor, " batch"]
    stop_labels: Float[Tensor, "batch mel_frame"]
    """One from the last frame on."""


def spectrogram_target(
    mels: Float[Tensor, "batch frame mel"], mel_lengths: Int[Tensor, " batch"], reduction_factor: int
) -> SpectrogramTarget:
    """Cut spectrograms into groups of `reduction_factor` frames; frames after the last whole group are left out."""
    decoder_input = decoder_input_frames(mels, reduction_factor)
    frames = mels[:, : decoder_input.shape[1] * reduction_factor]
    lengths = trimmed_lengths(mel_lengths, reduction_factor)
    return SpectrogramTarget(
        decoder_input=decoder_input,
        decoder_lengths=decoder_input_lengths(mel_lengths, reduction_factor),
        frames=frames,
        lengths=lengths,
        stop_labels=stop_labels(lengths, frames.shape[1]),
    )


def spectrogram_counts(mel_lengths: Int[Tensor, " batch"], num_mels: int, reduction_factor: int) -> tuple[float, float]:
    """Valid cells of the spectrogram, and of the stop labels."""
    stops = float(trimmed_lengths(mel_lengths, reduction_factor).sum())
    return stops * num_mels, stops


def absolute_distance(predicted: Spectrogram, target: SpectrogramTarget) -> Float[Tensor, ""]:
    """Sum of absolute differences over valid cells, before and after the postnet."""
    valid = _valid(target)[:, :, None]
    distance = (predicted.before - target.frames).abs() + (predicted.after - target.frames).abs()
    return distance.masked_fill(~valid, 0.0).sum()


def squared_distance(predicted: Spectrogram, target: SpectrogramTarget) -> Float[Tensor, ""]:
    """Sum of squared differences over valid cells, before and after the postnet."""
    valid = _valid(target)[:, :, None]
    distance = (predicted.before - target.frames).square() + (predicted.after - target.frames).square()
    return distance.masked_fill(~valid, 0.0).sum()


def stop_loss(predicted: Spectrogram, target: SpectrogramTarget, positive_weight: float) -> Float[Tensor, ""]:
    """Sum of binary cross entropies over valid frames; frames where speech ends weigh more."""
    weight = torch.tensor(positive_weight, device=predicted.stop_logits.device)
    entropy = F.binary_cross_entropy_with_logits(
        predicted.stop_logits.float(), target.stop_labels.float(), pos_weight=weight, reduction="none"
    )
    return entropy.masked_fill(~_valid(target), 0.0).sum()


def guided_attention_loss(
    attention: Sequence[Float[Tensor, "batch head step frame"]],
    step_lengths: Int[Tensor, " batch"],
    memory_lengths: Int[Tensor, " batch"],
    *,
    num_heads: int = 2,
    sigma: float = 0.4,
) -> Float[Tensor, ""]:
    """Mean attention weight off the diagonal (Tachibana et al. 2018, section 4.1), of the first heads of every layer.

    Args:
        attention: each layer's weights.
        step_lengths: valid decoder steps.
        memory_lengths: valid encoder states.
        num_heads: heads of each layer that are guided.
        sigma: width of what counts as diagonal.
    """
    weights = torch.cat([layer[:, :num_heads] for layer in attention], dim=1)
    num_steps, num_frames = weights.shape[2], weights.shape[3]
    step = torch.arange(num_steps, device=weights.device) / step_lengths.clamp(min=1)[:, None]
    frame = torch.arange(num_frames, device=weights.device) / memory_lengths.clamp(min=1)[:, None]
    off_diagonal = 1.0 - torch.exp(-((frame[:, None, :] - step[:, :, None]) ** 2) / (2 * sigma**2))
    valid_steps = ~padding_mask_from_lengths(step_lengths, num_steps)
    valid_frames = ~padding_mask_from_lengths(memory_lengths, num_frames)
    valid = valid_steps[:, :, None] & valid_frames[:, None, :]
    penalty = (weights * off_diagonal[:, None]).masked_fill(~valid[:, None], 0.0)
    return penalty.sum() / (valid.sum() * weights.shape[1]).clamp(min=1)


def _valid(target: SpectrogramTarget) -> Tensor:
    return ~padding_mask_from_lengths(target.lengths, target.frames.shape[1])
