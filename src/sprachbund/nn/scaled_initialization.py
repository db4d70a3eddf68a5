"""How stacks over symbols begin, so that variances stay as they are from layer to layer."""

import math

from torch import nn

from sprachbund.nn.attention import MultiheadAttention


def initialize_by_width(module: nn.Module) -> None:
    """Embeddings and projections of attention as fairseq's stacks have them; all else keeps what its layer gave it.

    Embeddings: normal with variance one over their width, zero for padding. Queries, keys and values: uniform after
    Glorot and Bengio (2010) with gain ``1 / sqrt(2)``, results with gain one and zero bias.
    """
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=part.embedding_dim**-0.5)
            if part.padding_idx is not None:
                nn.init.zeros_(part.weight[part.padding_idx].detach())
        elif isinstance(part, MultiheadAttention):
            for projection in (part.query, part.key, part.value):
                nn.init.xavier_uniform_(projection.weight, gain=1 / math.sqrt(2))
            nn.init.xavier_uniform_(part.out.weight)
            nn.init.zeros_(part.out.bias)
