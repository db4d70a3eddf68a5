import math

import torch
from torch import nn

from sprachbund.nn.attention import MultiheadAttention
from sprachbund.nn.scaled_initialization import initialize_by_width


def test_each_part_has_its_scale() -> None:
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {
            "embedding": nn.Embedding(500, 64, padding_idx=1),
            "attention": MultiheadAttention(64, 2, memory_dim=128),
            "linear": nn.Linear(8, 8),
        }
    )
    linear = parts["linear"].weight.clone()
    initialize_by_width(parts)
    embedding = parts["embedding"].weight
    assert not embedding[1].any()
    torch.testing.assert_close(embedding[2:].std().item(), 64**-0.5, rtol=0.03, atol=0)
    attention = parts["attention"]
    for name, fan, gain in (("query", 128, 0.5), ("key", 192, 0.5), ("value", 192, 0.5), ("out", 128, 1.0)):
        bound = math.sqrt(6 * gain / fan)
        largest = getattr(attention, name).weight.abs().max().item()
        assert 0.97 * bound < largest <= bound, name
    assert not attention.out.bias.any()
    assert torch.equal(parts["linear"].weight, linear)
