"""What stands before an encoder or a decoder: waveforms, tokens or spectrogram frames become states."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.errors import DataError
from sprachbund.lengths import frames_from_samples, padding_mask_from_lengths
from sprachbund.nn.dropout import dropout
from sprachbund.nn.gradient import scale_gradient
from sprachbund.nn.masking import MaskEmbedding
from sprachbund.nn.positions import ConvolutionalPositions, ScaledSinusoids, StackedPositions, blocked_sinusoids
from sprachbund.nn.precision import sum_precision
from sprachbund.nn.waveform_frontend import WaveformFrontend, frame_lengths, frame_lengths_of_padding_mask
from sprachbund.shapes import Bool, Float, Int, Tensor

# Blocked sinusoids keep row 1 for padding, so that positions begin at 2.
FIRST_POSITION = 2


@dataclass(frozen=True)
class FramedSpeech:
    """Frames ready for an encoder."""

    states: Float[Tensor, "batch frame dim"]
    lengths: Int[Tensor, " batch"]
    energy: Float[Tensor, ""] | None
    """Sum of the squared outputs of the convolutions, if it was wanted: the feature penalty is its mean."""
    features: Float[Tensor, "batch frame channel"] | None = None
    """Those outputs normalised and not masked, if they were wanted."""


class PositionShape(NamedTuple):
    """Sizes of convolutional positions."""

    kernel: int
    """Frames that a convolution spans."""
    groups: int
    depth: int = 1
    """Convolutions: one whose weight is normalised, or several whose outputs are."""
    sees_padding: bool = False
    """Let what stands at padding take part, as one of the original implementations does."""


class WaveformPrenet(nn.Module):
    """Convolutions, norm, projection, mask, convolutional and sinusoidal positions (SpeechT5, section 2.2).

    Args:
        frontend: the convolutions. Where they let padding take part, so does the feature penalty.
        channels: channels of the last convolution.
        dim: width of the states; equal to `channels` leaves the projection out.
        positions: sizes of the convolutional positions.
        has_norm: normalise the channels before the projection.
        has_sinusoids: add sinusoidal positions too.
        dropout: after the projection.
        gradient_scale: factor on the gradient into the convolutions; 0 or less computes none.
    """

    def __init__(
        self,
        frontend: WaveformFrontend,
        channels: int,
        dim: int,
        *,
        positions: PositionShape,
        has_norm: bool,
        has_sinusoids: bool,
        dropout: float,
        gradient_scale: float,
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.norm = nn.LayerNorm(channels) if has_norm else None
        self.projection = nn.Linear(channels, dim) if channels != dim else None
        self.mask_embedding = MaskEmbedding(dim)
        self.positions: ConvolutionalPositions | StackedPositions
        if positions.depth == 1:
            self.positions = ConvolutionalPositions(dim, positions.kernel, positions.groups)
        else:
            self.positions = StackedPositions(dim, *positions[:3])
        self.hides_padding = not positions.sees_padding
        self.has_sinusoids, self.dropout, self.gradient_scale = has_sinusoids, dropout, gradient_scale

    def frame_lengths(
        self, lengths: Int[Tensor, " batch"], num_samples: int, max_frames: int | None = None
    ) -> tuple[Int[Tensor, " batch"], int]:
        """Valid frames of each row, and the frames a batch of `num_samples` samples is wide.

        Raises:
            DataError: there is no frame.
        """
        num_frames = frames_from_samples(num_samples, self.frontend.strides)
        if max_frames is not None:
            num_frames = min(num_frames, max_frames)
        if num_frames == 0:
            raise DataError(
                "a batch of waveforms is too short to yield a frame",
                given=f"{num_samples} samples",
                mend="Leave such short recordings out.",
            )
        if self.frontend.sees_padding:
            return frame_lengths_of_padding_mask(lengths, num_samples, num_frames), num_frames
        return frame_lengths(lengths, self.frontend.strides).clamp(max=num_frames), num_frames

    def forward(
        self,
        waveforms: Float[Tensor, "batch sample"],
        lengths: Int[Tensor, " batch"],
        *,
        time_mask: Bool[Tensor, "batch frame"] | None = None,
        channel_mask: Bool[Tensor, "batch dim"] | None = None,
        max_frames: int | None = None,
        with_energy: bool = False,
        with_features: bool = False,
    ) -> FramedSpeech:
        """Frames of waveforms.

        Args:
            waveforms: at 16 kHz, zero padded.
            lengths: their valid samples.
            time_mask: frames replaced by the mask embedding.
            channel_mask: channels set to zero in all frames of a row.
            max_frames: drop what comes after, where there are fewer labels than frames.
            with_energy: sum up the squares for the feature penalty.
            with_features: hand out the normalised features.
        """
        num_valid, num_frames = self.frame_lengths(lengths, waveforms.shape[1], max_frames)
        padding_mask = padding_mask_from_lengths(num_valid, num_frames)
        features = self._extract(waveforms, lengths)[:, :num_frames]
        energy = self._energy(features, padding_mask) if with_energy else None
        normalized = states = features if self.norm is None else self.norm(features)
        if self.projection is not None:
            states = self.projection(states)
        states = dropout(states, self.dropout, self.training)
        states = self.mask_embedding(states, time_mask, channel_mask)
        if self.hides_padding:
            states = states.masked_fill(padding_mask[:, :, None], 0.0)
        states = sum_precision(states) + self._locate(states, padding_mask)
        if self.has_sinusoids:
            numbers = torch.arange(FIRST_POSITION, FIRST_POSITION + num_frames, device=states.device)
            sinusoids = blocked_sinusoids(numbers, states.shape[2]).to(states.dtype)
            states = states + sinusoids.masked_fill(padding_mask[:, :, None], 0.0)
        return FramedSpeech(
            states=states, lengths=num_valid, energy=energy, features=normalized if with_features else None
        )

    def _locate(self, states: Tensor, padding_mask: Tensor) -> Tensor:
        positions: Tensor
        if isinstance(self.positions, StackedPositions):
            positions = self.positions(states, padding_mask)
        else:
            positions = self.positions(states)
        return positions

    def _extract(
        self, waveforms: Float[Tensor, "batch sample"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frame channel"]:
        if self.gradient_scale <= 0:
            with torch.no_grad():
                frozen: Tensor = self.frontend(waveforms, lengths)
                return frozen
        return scale_gradient(self.frontend(waveforms, lengths), self.gradient_scale)

    def _energy(
        self, features: Float[Tensor, "batch frame channel"], padding_mask: Bool[Tensor, "batch frame"]
    ) -> Float[Tensor, ""]:
        squares = features.float().square()
        if not self.frontend.sees_padding:
            squares = squares.masked_fill(padding_mask[:, :, None], 0.0)
        return squares.sum()


class TextEncoderPrenet(nn.Module):
    """Token embeddings plus scaled sinusoids (SpeechT5, section 2.2)."""

    def __init__(self, embedding: nn.Embedding, positions: ScaledSinusoids) -> None:
        super().__init__()
        self.embedding = embedding
        self.positions = positions

    def forward(self, tokens: Int[Tensor, "batch token"]) -> Float[Tensor, "batch token dim"]:
        """States of token ids."""
        states: Tensor = self.positions(self.embedding(tokens))
        return states


class TextDecoderPrenet(nn.Module):
    """Token embeddings plus blocked sinusoids or learned positions, then dropout.

    Args:
        embedding: of the tokens, perhaps shared.
        dropout: of the sum.
        is_scaled: multiply embeddings by ``sqrt(dim)``.
        has_positions: add the sinusoids.
        has_norm: normalise the sum.
        learned: positions to add instead of sinusoids; the first one is in row 2.
    """

    def __init__(
        self,
        embedding: nn.Embedding,
        *,
        dropout: float,
        is_scaled: bool,
        has_positions: bool,
        has_norm: bool,
        learned: nn.Embedding | None = None,
    ) -> None:
        super().__init__()
        self.embedding, self.learned = embedding, learned
        self.norm = nn.LayerNorm(embedding.embedding_dim) if has_norm else None
        self.dropout, self.has_positions = dropout, has_positions
        self.scale = math.sqrt(embedding.embedding_dim) if is_scaled else 1.0

    def forward(self, tokens: Int[Tensor, "batch token"], *, first: int = 0) -> Float[Tensor, "batch token dim"]:
        """`first` is the position of the first token, when earlier ones are cached."""
        states: Tensor = self.embedding(tokens)
        if self.scale != 1.0:
            states = states * self.scale
        start = FIRST_POSITION + first
        numbers = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        if self.learned is not None:
            states = states + self.learned(numbers)
        elif self.has_positions:
            states = states + blocked_sinusoids(numbers, states.shape[2]).to(states.dtype)
        if self.norm is not None:
            states = self.norm(states)
        return dropout(states, self.dropout, self.training)


class SpectrogramPrenet(nn.Module):
    """Small ReLU layers whose dropout never rests, projection, positions, and the speaker (SpeechT5, section 2.2).

    The dropout stays on in evaluation too (Tacotron 2, section 2.2).

    Args:
        num_mels: bands of a frame.
        hidden_dim: width of the ReLU layers.
        num_layers: how many.
        dim: width of the states.
        dropout: after each ReLU layer.
        positions: added after the projection.
        speaker_dim: width of a speaker embedding; None for a prenet that takes none.
    """

    def __init__(
        self,
        num_mels: int,
        hidden_dim: int,
        num_layers: int,
        dim: int,
        *,
        dropout: float,
        positions: ScaledSinusoids,
        speaker_dim: int | None,
    ) -> None:
        super().__init__()
        sizes = [num_mels, *([hidden_dim] * num_layers)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.projection = nn.Linear(hidden_dim, dim)
        self.positions = positions
        self.speaker = None if speaker_dim is None else nn.Linear(speaker_dim + dim, dim)
        self.dropout = dropout

    def forward(
        self,
        frames: Float[Tensor, "batch frame mel"],
        speaker_embeddings: Float[Tensor, "batch speaker"] | None,
        *,
        first: int = 0,
        seed: int | None = None,
        dropout_masks: Sequence[Float[Tensor, "batch frame hidden"]] | None = None,
    ) -> Float[Tensor, "batch frame dim"]:
        """States of mel frames.

        Args:
            frames: what the decoder has said so far, thinned by the reduction factor.
            speaker_embeddings: of any length; they are brought to length one.
            first: position of the first frame, when earlier ones are cached.
            seed: of the dropout. Then it depends on the position alone, and is the same in every row.
            dropout_masks: what to multiply with after each layer, for comparison with other implementations.
        """
        states: Tensor = frames
        for index, layer in enumerate(self.layers):
            states = F.relu(layer(states))
            if dropout_masks is not None:
                states = states * dropout_masks[index]
            elif self.dropout > 0.0:
                states = states * self._dropout_mask(states, first, None if seed is None else seed + index)
        states = self.positions(self.projection(states), first=first)
        if self.speaker is None or speaker_embeddings is None:
            return states
        speakers = F.normalize(speaker_embeddings)[:, None].expand(-1, states.shape[1], -1).to(states.dtype)
        return F.relu(self.speaker(torch.cat([states, speakers], dim=2)))

    def _dropout_mask(self, states: Tensor, first: int, seed: int | None) -> Tensor:
        keep = 1.0 - self.dropout
        if seed is None:
            draws = torch.rand_like(states)
        else:
            # Drawn on the processor, frame after frame, so that a frame's draw depends on its position alone.
            generator = torch.Generator().manual_seed(seed)
            draws = torch.rand(first + states.shape[1], states.shape[2], generator=generator)[None, first:]
        return (draws < keep).to(states) / keep
