"""Transformer layers whose feed-forward parts look at neighbours (FastSpeech, Ren et al. 2019, section 3.1)."""

from dataclasses import dataclass

from torch import nn
from torch.nn import functional as F

from sprachbund.config import Few, Probability, Size
from sprachbund.nn.attention import MultiheadAttention
from sprachbund.nn.dropout import dropout
from sprachbund.nn.precision import compute_dtype, sum_precision
from sprachbund.nn.sequence_convolution import SequenceConvolution
from sprachbund.nn.transformer import run_part
from sprachbund.shapes import Bool, Float, Tensor


@dataclass(frozen=True, kw_only=True)
class ConvolutionalStackConfig:
    """A stack of such layers. The defaults are those of the published small model from text to units."""

    dim: Size = 256
    """Width of the states."""
    ffn_dim: Size = 1024
    """Channels between the two convolutions of a layer."""
    kernel: Size = 9
    """Positions that each convolution spans, an odd number."""
    num_layers: Few = 4
    """Layers of the stack."""
    num_heads: Size = 2
    """Attention heads of each layer."""
    dropout: Probability = 0.2
    """Dropout after the convolutions."""
    attention_dropout: Probability = 0.0
    """Dropout of attention weights."""

    def __post_init__(self) -> None:
        if self.dim % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide dim ({self.dim})")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel ({self.kernel}) must be odd")


class ConvolutionalLayer(nn.Module):
    """Self-attention, then two convolutions with a ReLU between; each part is normalised with its residual."""

    def __init__(self, config: ConvolutionalStackConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.attention = MultiheadAttention(config.dim, config.num_heads, dropout=config.attention_dropout)
        self.attention_norm = nn.LayerNorm(config.dim)
        self.inner = SequenceConvolution(config.dim, config.ffn_dim, config.kernel)
        self.outer = SequenceConvolution(config.ffn_dim, config.dim, config.kernel)
        self.final_norm = nn.LayerNorm(config.dim)

    def forward(
        self,
        states: Float[Tensor, "batch position dim"],
        padding_mask: Bool[Tensor, "batch position"],
        convolved_mask: Bool[Tensor, "batch position"] | None,
    ) -> Float[Tensor, "batch position dim"]:
        """One layer; padding is hidden from attention by one mask, and from the convolutions by the other."""
        inner = states.to(compute_dtype(states))  # once for all three projections
        attended = self.attention(inner, self.attention.project_memory(inner), padding_mask=padding_mask)
        states = self.attention_norm(states + attended.states)
        convolved = self.outer(F.relu(self.inner(states, convolved_mask)), convolved_mask)
        result: Tensor = self.final_norm(states + dropout(convolved, self.dropout, self.training))
        return result


class ConvolutionalStack(nn.Module):
    """Layers without a norm before or after them. `recomputes` is as in `EncoderStack`.

    Args:
        config: sizes and rates.
        keeps_padding: let padding take part in the convolutions, as the original implementation does; otherwise it is
            zero for them, and in the result.
    """

    def __init__(self, config: ConvolutionalStackConfig, *, keeps_padding: bool = False) -> None:
        super().__init__()
        self.keeps_padding = keeps_padding
        self.recomputes = False
        self.layers = nn.ModuleList(ConvolutionalLayer(config) for _ in range(config.num_layers))

    def forward(
        self, states: Float[Tensor, "batch position dim"], padding_mask: Bool[Tensor, "batch position"]
    ) -> Float[Tensor, "batch position dim"]:
        """Run all layers; `padding_mask` is True at padding."""
        states = sum_precision(states)
        convolved_mask = None if self.keeps_padding else padding_mask
        for layer in self.layers:
            states = run_part(self.recomputes, layer, states, padding_mask, convolved_mask)
        return states if self.keeps_padding else states.masked_fill(padding_mask[:, :, None], 0.0)
