"""One number a token: its duration, or its pitch and energy put back into the states (FastSpeech 2, section 2.3)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.config import Probability, Size
from sprachbund.nn.dropout import dropout
from sprachbund.nn.sequence_convolution import SequenceConvolution
from sprachbund.shapes import Bool, Float, Tensor


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """Sizes and rates of what predicts a number of each token."""

    dim: Size = 256
    """Channels of the two convolutions."""
    kernel: Size = 3
    """Tokens that each spans, an odd number."""
    dropout: Probability = 0.5
    """Dropout after each."""

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel ({self.kernel}) must be odd")


@dataclass(frozen=True, kw_only=True)
class VarianceConfig:
    """A quality of speech that is predicted of each token and told to the decoder, as its embedded bin."""

    is_used: bool = True
    """Whether it has a part in the model; if not, its weights are frozen and kept because a checkpoint holds them."""
    num_bins: Size = 256
    """Bins between the lowest and the highest value, and beyond them."""
    lowest: float = 1e-8
    """Value at which the second bin begins."""
    highest: float = 6.6
    """Value at which the last one begins."""

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise ValueError(f"lowest ({self.lowest}) must be below highest ({self.highest})")


class TokenPredictor(nn.Module):
    """Two convolutions, each with ReLU, norm and dropout, and a linear map to one number."""

    def __init__(self, num_inputs: int, config: PredictorConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.convolutions = nn.ModuleList(
            SequenceConvolution(width, config.dim, config.kernel) for width in (num_inputs, config.dim)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(config.dim) for _ in range(2))
        self.output = nn.Linear(config.dim, 1)

    def forward(
        self, states: Float[Tensor, "batch token dim"], padding_mask: Bool[Tensor, "batch token"] | None
    ) -> Float[Tensor, "batch token"]:
        """A number of each token; without a mask, padding takes part in that of its neighbours."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            states = dropout(norm(F.relu(convolution(states, padding_mask))), self.dropout, self.training)
        numbers: Tensor = self.output(states)
        return numbers.squeeze(2)


class Varied(NamedTuple):
    """States with the quality in them, and what was predicted of it."""

    states: Float[Tensor, "batch token dim"]
    predicted: Float[Tensor, "batch token"]


class Variance(nn.Module):
    """Predicts a quality and adds the vector of its bin to the states."""

    def __init__(self, dim: int, config: VarianceConfig, predictor: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        self.predictor = TokenPredictor(dim, predictor)
        self.embedding = nn.Embedding(config.num_bins, dim)
        self.requires_grad_(config.is_used)

    def forward(
        self,
        states: Float[Tensor, "batch token dim"],
        padding_mask: Bool[Tensor, "batch token"] | None,
        values: Float[Tensor, "batch token"] | None,
    ) -> Varied:
        """`values` are the true ones; without them the bins are those of what is predicted."""
        predicted = self.predictor(states, padding_mask)
        config = self.config
        edges = torch.linspace(config.lowest, config.highest, config.num_bins - 1, device=states.device)
        bins = torch.bucketize(predicted.float() if values is None else values, edges)
        return Varied(states + self.embedding(bins), predicted)
