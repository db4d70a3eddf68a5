"""What stands after a decoder: spectrogram frames and their refinement, and classes of whole utterances."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from sprachbund.nn.dropout import dropout
from sprachbund.shapes import Bool, Float, Tensor


@dataclass(frozen=True)
class Frames:
    """Predicted mel frames."""

    before: Float[Tensor, "batch mel_frame mel"]
    """Straight from the decoder."""
    after: Float[Tensor, "batch mel_frame mel"]
    """Refined by the convolutions."""
    stop_logits: Float[Tensor, "batch mel_frame"]
    """Above zero where speech has ended."""


class PostnetBlock(nn.Module):
    """One convolution over time with batch norm, tanh (not in the last block) and dropout."""

    def __init__(
        self, num_inputs: int, num_outputs: int, kernel: int, *, dropout: float, has_norm: bool, is_last: bool
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(num_inputs, num_outputs, kernel, padding=(kernel - 1) // 2, bias=False)
        self.norm = nn.BatchNorm1d(num_outputs) if has_norm else None
        self.dropout, self.is_last = dropout, is_last

    def forward(
        self, values: Float[Tensor, "batch channel frame"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Float[Tensor, "batch output frame"]:
        """With a mask, padding is zero for the convolution and unseen by the batch norm."""
        if padding_mask is not None:
            values = values.masked_fill(padding_mask[:, None], 0.0)
        values = self.convolution(values)
        if self.norm is not None:
            values = self._normalize(values, padding_mask)
        if not self.is_last:
            values = torch.tanh(values)
        return dropout(values, self.dropout, self.training)

    def _normalize(self, values: Tensor, padding_mask: Tensor | None) -> Tensor:
        assert self.norm is not None
        if padding_mask is None or not self.training:
            normal: Tensor = self.norm(values)
            return normal
        # Statistics of a batch come from its valid frames only.
        frames = values.transpose(1, 2)  # -> batch frame channel
        valid = ~padding_mask
        result = torch.zeros_like(frames)
        result[valid] = self.norm(frames[valid]).to(result.dtype)
        return result.transpose(1, 2)


class SpectrogramPostnet(nn.Module):
    """Several frames and stop logits from each state, and a residual of convolutions (Tacotron 2, section 2.2).

    Args:
        dim: width of the states.
        num_mels: bands of a frame.
        reduction_factor: frames a state.
        num_layers: convolutions; 0 for none.
        channels: between them.
        kernel: frames each spans.
        dropout: after each.
        has_norm: batch norm in each.
    """

    def __init__(
        self,
        dim: int,
        num_mels: int,
        reduction_factor: int,
        *,
        num_layers: int,
        channels: int,
        kernel: int,
        dropout: float,
        has_norm: bool,
    ) -> None:
        super().__init__()
        self.num_mels, self.reduction_factor = num_mels, reduction_factor
        self.frames = nn.Linear(dim, num_mels * reduction_factor)
        self.stop = nn.Linear(dim, reduction_factor)
        sizes = [num_mels, *([channels] * (num_layers - 1)), num_mels] if num_layers else []
        self.blocks = nn.ModuleList(
            PostnetBlock(a, b, kernel, dropout=dropout, has_norm=has_norm, is_last=index == num_layers - 1)
            for index, (a, b) in enumerate(pairwise(sizes))
        )

    def project(
        self, states: Float[Tensor, "batch frame dim"]
    ) -> tuple[Float[Tensor, "batch mel_frame mel"], Float[Tensor, "batch mel_frame"]]:
        """Frames and stop logits, `reduction_factor` for each state."""
        frames = self.frames(states).view(len(states), -1, self.num_mels)  # -> batch mel_frame mel
        return frames, self.stop(states).flatten(1)

    def refine(
        self, frames: Float[Tensor, "batch mel_frame mel"], padding_mask: Bool[Tensor, "batch mel_frame"] | None
    ) -> Float[Tensor, "batch mel_frame mel"]:
        """Add the residual of the convolutions; without a mask they see whatever stands at padding."""
        values = frames.transpose(1, 2)
        for block in self.blocks:
            values = block(values, padding_mask)
        return frames + values.transpose(1, 2) if len(self.blocks) else frames

    def forward(
        self, states: Float[Tensor, "batch frame dim"], padding_mask: Bool[Tensor, "batch frame"] | None
    ) -> Frames:
        """`padding_mask` is that of the states."""
        before, stop_logits = self.project(states)
        mel_mask = None if padding_mask is None else padding_mask.repeat_interleave(self.reduction_factor, dim=1)
        return Frames(before=before, after=self.refine(before, mel_mask), stop_logits=stop_logits)


@dataclass(frozen=True)
class Classified:
    """An utterance as one vector, and its class logits."""

    embedding: Float[Tensor, "batch dim"]
    logits: Float[Tensor, "batch class"]


class UtteranceClassifier(nn.Module):
    """Classes of pooled states (SpeechT5, section 3.6: speaker identification).

    Args:
        dim: width of the pooled state.
        num_classes: how many.
        has_norm: batch norm of the pooled state.
        embedding_dim: width of a further linear map with batch norm; None for none.
    """

    def __init__(self, dim: int, num_classes: int, *, has_norm: bool, embedding_dim: int | None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(dim) if has_norm else None
        self.embedding = None if embedding_dim is None else nn.Linear(dim, embedding_dim, bias=False)
        self.embedding_norm = None if embedding_dim is None else nn.BatchNorm1d(embedding_dim)
        self.output = nn.Linear(dim if embedding_dim is None else embedding_dim, num_classes, bias=False)

    def forward(self, pooled: Float[Tensor, "batch dim"]) -> Classified:
        """Class logits of pooled states."""
        if self.norm is not None:
            pooled = self.norm(pooled)
        if self.embedding is not None and self.embedding_norm is not None:
            pooled = self.embedding_norm(self.embedding(pooled))
        return Classified(embedding=pooled, logits=self.output(pooled))
