"""What stands before a Transformer that reads units, or states of speech in their place."""

import math

import torch
from torch import nn

from sprachbund.errors import DataError
from sprachbund.nn.prenets import FIRST_POSITION
from sprachbund.shapes import Bool, Float, Int, Tensor

PADDING = 1


class UnitPrenet(nn.Module):
    """Embeddings of units, learned positions, and a norm over their sum (SpeechLM, section 3.2).

    Args:
        dim: width of the states.
        num_units: entries of the unit dictionary; None for a model that reads states alone.
        max_positions: states at most; None for a prenet without positions.
        has_norm: normalise the sum.
        is_scaled: multiply what is read by ``sqrt(dim)``.
    """

    def __init__(
        self, dim: int, num_units: int | None, *, max_positions: int | None, has_norm: bool, is_scaled: bool
    ) -> None:
        super().__init__()
        self.embedding: nn.Embedding | None = None
        if num_units is not None:
            self.embedding = nn.Embedding(num_units, dim, padding_idx=PADDING)
        self.positions: nn.Embedding | None = None
        if max_positions is not None:
            self.positions = nn.Embedding(max_positions + FIRST_POSITION, dim, padding_idx=PADDING)
        self.norm = nn.LayerNorm(dim) if has_norm else None
        self.scale = math.sqrt(dim) if is_scaled else 1.0

    def embed(self, units: Int[Tensor, "*position"]) -> Float[Tensor, "*position dim"]:
        """The vectors of units, zero at padding."""
        assert self.embedding is not None, "built without units"
        vectors: Tensor = self.embedding(units)
        return vectors

    def forward(
        self, states: Float[Tensor, "batch position dim"], padding_mask: Bool[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position dim"]:
        """States of speech or vectors of units, located; zero at padding.

        Raises:
            DataError: there are more of them than positions.
        """
        states = states * self.scale
        if self.positions is not None:
            num_positions, num_states = self.positions.num_embeddings - FIRST_POSITION, states.shape[1]
            if num_states > num_positions:
                raise DataError(
                    "a sequence is longer than the model has positions",
                    given=f"{num_states} frames or units, {num_positions} positions",
                    mend="Cut long recordings into chunks (`--chunk`), or leave them out.",
                )
            numbers = torch.arange(FIRST_POSITION, FIRST_POSITION + num_states, device=states.device)
            states = states + self.positions(numbers)
        if self.norm is not None:
            states = self.norm(states)
        return states.masked_fill(padding_mask[:, :, None], 0.0)
