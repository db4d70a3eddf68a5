"""How weights begin."""

from torch import nn


def initialize_like_bert(module: nn.Module, std: float = 0.02) -> None:
    """Every linear map and embedding of `module`: normal weights, zero biases, a zero row for padding.

    Convolutions, norms and bare parameters keep what their own layers gave them, which for convolutions of the
    waveform front-end is Kaiming's (He et al. 2015).
    """
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    # Embeddings come last: a linear map may share their weight, and padding is zero all the same.
    for part in module.modules():
        if isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=std)
            if part.padding_idx is not None:
                nn.init.zeros_(part.weight[part.padding_idx].detach())
