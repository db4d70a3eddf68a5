"""Masked unit prediction: cosine similarities with one learned vector a unit (HuBERT, section II-B)."""

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn.precision import single_precision
from sprachbund.shapes import Float, Int, Tensor


class UnitPredictor(nn.Module):
    """Logits of every unit: the cosine of the projected state and the unit's vector, over a temperature.

    Args:
        dim: width of the states.
        unit_dim: width in which they are compared.
        num_units: entries of the unit dictionary, specials included.
        temperature: the cosine is divided by it.
    """

    def __init__(self, dim: int, unit_dim: int, num_units: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.projection = nn.Linear(dim, unit_dim)
        self.embeddings = nn.Parameter(torch.empty(num_units, unit_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Unit vectors uniform in [0, 1)."""
        nn.init.uniform_(self.embeddings)

    def forward(self, states: Float[Tensor, "*position dim"]) -> Float[Tensor, "*position unit"]:
        """A softmax over these logits is the distribution over units (HuBERT, equation 3)."""
        projected = F.normalize(self.projection(states).float(), dim=-1, eps=1e-8)
        embeddings = F.normalize(self.embeddings.float(), dim=-1, eps=1e-8)
        with single_precision(states.device):
            return projected @ embeddings.T / self.temperature


def contrastive_logits(
    logits: Float[Tensor, "position unit"], targets: Int[Tensor, " position"]
) -> Float[Tensor, "position column"]:
    """The layout of the original: column 0 is the target's logit, and its own column further on is minus infinity.

    Cross entropy against column 0 equals cross entropy of `logits` against `targets`.
    """
    positive = logits.gather(1, targets[:, None].long())
    others = logits.scatter(1, targets[:, None].long(), float("-inf"))
    return torch.cat([positive, others], dim=1)
