"""Masks on a sequence of states: frames replaced by a learned vector, channels by zero (HuBERT, section II-B)."""

import torch
from torch import nn

from sprachbund.shapes import Bool, Float, Tensor


class MaskEmbedding(nn.Module):
    """The learned vector that stands where a frame is masked."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.vector = nn.Parameter(torch.empty(dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Uniform in [0, 1)."""
        nn.init.uniform_(self.vector)

    def forward(
        self,
        states: Float[Tensor, "batch frame dim"],
        time_mask: Bool[Tensor, "batch frame"] | None,
        channel_mask: Bool[Tensor, "batch dim"] | None,
    ) -> Float[Tensor, "batch frame dim"]:
        """Masks are True where something is hidden; the channel mask comes last and hides the vector's channels too."""
        if time_mask is not None:
            states = torch.where(time_mask[:, :, None], self.vector.to(states.dtype), states)
        if channel_mask is not None:
            states = states.masked_fill(channel_mask[:, None, :], 0.0)
        return states
