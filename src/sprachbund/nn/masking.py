"""Masks: frames replaced by a learned vector and channels by zero (HuBERT, section II-B), and keys nobody may see."""

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


def hidden_keys(
    padding_mask: Bool[Tensor, "batch key"] | None,
    causal: bool,
    num_queries: int,
    num_keys: int,
    first: int,
    device: torch.device,
) -> Bool[Tensor, "rows 1 queries key"] | None:
    """True where a key is hidden from a query, in a shape that broadcasts over heads."""
    hidden = None if padding_mask is None else padding_mask[:, None, None, :]
    if causal:
        later = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device).triu(first + 1)[None, None]
        hidden = later if hidden is None else hidden | later
    return hidden
