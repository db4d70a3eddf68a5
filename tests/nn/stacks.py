"""Small stacks of Transformer layers."""

from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from sprachbund.nn.transformer import StackConfig

Module = TypeVar("Module", bound=nn.Module)

CONFIG = StackConfig(dim=16, ffn_dim=20, num_layers=2, num_heads=4, max_relative_distance=3, layerdrop=0.0)
BIASED = replace(CONFIG, max_relative_distance=None, bias_buckets=8, max_bias_distance=5)


def shaken(module: Module) -> Module:
    """Norms that are not the identity, so that their places show."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return module.eval()


def mask(lengths: list[int]) -> Tensor:
    """True at padding."""
    return torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None]
