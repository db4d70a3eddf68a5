"""The CTC head over a shared encoder: a short convolution before the linear map (SpeechLM and SpeechUT)."""

import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn.dropout import dropout
from sprachbund.shapes import Float, Tensor


class ConvolutionalCtcHead(nn.Module):
    """Convolution, dropout, norm, GELU and a linear map.

    Frames are padded by half the kernel on either side. An even kernel so gives one frame more than it reads: frame t
    is made of the states before t, that of t with them, and the last one sees the end alone.

    Args:
        dim: width of the states.
        kernel: states that a frame is made of.
        vocab_size: entries of the text dictionary.
        dropout: after the convolution.
    """

    def __init__(self, dim: int, kernel: int, vocab_size: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout, self.padding = dropout, kernel // 2
        self.convolution = nn.Conv1d(dim, dim, kernel, bias=False)
        self.norm = nn.LayerNorm(dim)
        self.projection = nn.Linear(dim, vocab_size)
        nn.init.kaiming_normal_(self.convolution.weight)

    def forward(self, states: Float[Tensor, "batch frame dim"]) -> Float[Tensor, "batch logit_frame vocab"]:
        """Logits of states that are zero at padding."""
        padded = F.pad(states, (0, 0, self.padding, self.padding))
        taps = [padded[:, tap : padded.shape[1] - self._reach + tap] for tap in range(self._reach + 1)]
        # -> batch logit_frame tap_dim: one product of matrices, which a processor does faster than a convolution.
        weight = self.convolution.weight.permute(0, 2, 1).flatten(1).to(states.dtype)
        convolved = F.linear(torch.cat(taps, dim=2), weight)
        activated = F.gelu(self.norm(dropout(convolved, self.dropout, self.training)))
        logits: Tensor = self.projection(activated)
        return logits

    @property
    def _reach(self) -> int:
        return self.convolution.kernel_size[0] - 1
