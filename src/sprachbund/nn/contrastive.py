"""The head of the contrastive task: quantized features and states of the encoder, in one space (wav2vec 2.0)."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.config import Positive, Probability, Size
from sprachbund.nn.dropout import dropout
from sprachbund.nn.precision import single_precision
from sprachbund.nn.quantizer import GumbelQuantizer, Quantized
from sprachbund.shapes import Float, Int, Tensor


@dataclass(frozen=True, kw_only=True)
class ContrastiveHeadConfig:
    """Sizes of the head. The defaults are those of the published base model (wav2vec 2.0, section 4.2)."""

    groups: Size = 2
    """Codebooks."""
    codes_per_group: Size = 320
    """Codes of each."""
    code_dim: Size = 256
    """Width of a quantized frame."""
    dim: Size = 256
    """Width in which states and quantized frames are compared."""
    temperature: Positive = 0.1
    """The cosine of both is divided by this."""
    codebook_temperature: tuple[Positive, Positive, Positive] = (2.0, 0.5, 0.999995)
    """Of the Gumbel softmax: first, lowest, factor a step."""
    dropout: Probability = 0.1
    """Dropout of the features that are quantized."""

    def __post_init__(self) -> None:
        if self.code_dim % self.groups:
            raise ValueError(f"groups ({self.groups}) must divide code_dim ({self.code_dim})")


class ContrastiveHead(nn.Module):
    """Tells which quantized frame belongs to a state.

    Args:
        channels: width of the features that are quantized.
        dim: width of the encoder's states.
        config: sizes.
    """

    def __init__(self, channels: int, dim: int, config: ContrastiveHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.quantizer = GumbelQuantizer(
            config.code_dim,
            config.groups,
            config.codes_per_group,
            config.codebook_temperature,
            input_dim=channels,
        )
        nn.init.normal_(self.quantizer.projection.weight)
        nn.init.zeros_(self.quantizer.projection.bias)
        self.code_projection = nn.Linear(config.code_dim, config.dim)
        self.state_projection = nn.Linear(dim, config.dim)

    def quantize(self, features: Float[Tensor, "position channel"], seed: int | None) -> Quantized:
        """Codes of features, as a batch of one row; `seed` is of the noise in training."""
        quantized: Quantized = self.quantizer(dropout(features, self.config.dropout, self.training)[None], seed=seed)
        return quantized

    def forward(
        self,
        states: Float[Tensor, "position dim"],
        quantized: Quantized,
        distractors: Int[Tensor, "position distractor"],
    ) -> Float[Tensor, "position candidate"]:
        """Logits of the candidates of each state: its own quantized frame first, then its distractors.

        A distractor with the codes of the true one is minus infinity: nothing tells them apart.

        Args:
            states: of the encoder.
            quantized: of the same positions.
            distractors: positions of them.
        """
        with single_precision(states.device):
            heard = F.normalize(self.state_projection(states.float()), dim=-1, eps=1e-8)
            codes = F.normalize(self.code_projection(quantized.states[0].float()), dim=-1, eps=1e-8)
            # All pairs and then a choice: fewer numbers than the distractors' vectors are.
            cosines = heard @ codes.T / self.config.temperature
        others = cosines.gather(1, distractors)
        same = (quantized.codes[0][distractors] == quantized.codes[0][:, None]).all(dim=2)
        return torch.cat([cosines.diagonal()[:, None], others.masked_fill(same, float("-inf"))], dim=1)
