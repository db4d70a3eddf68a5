from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from nn.stacks import mask, shaken
from sprachbund.nn.convolutional_transformer import ConvolutionalStack, ConvolutionalStackConfig

CONFIG = ConvolutionalStackConfig(dim=12, ffn_dim=20, kernel=5, num_layers=2, num_heads=3, dropout=0.0)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def stack(**options: bool) -> ConvolutionalStack:
    torch.manual_seed(0)
    return shaken(ConvolutionalStack(CONFIG, **options))


def oracle(layers: nn.ModuleList, states: Tensor) -> Tensor:
    """One utterance, with torch's own attention."""
    for layer in layers:
        parts = [layer.attention.query, layer.attention.key, layer.attention.value]
        attended, _ = F.multi_head_attention_forward(
            *(states.transpose(0, 1),) * 3, 12, 3,
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]),
            None, None, False, 0.0, layer.attention.out.weight, layer.attention.out.bias, training=False,
        )  # fmt: skip
        states = layer.attention_norm(states + attended.transpose(0, 1))
        hidden = F.conv1d(states.transpose(1, 2), layer.inner.weight, layer.inner.bias, padding=2).clamp(min=0)
        convolved = F.conv1d(hidden, layer.outer.weight, layer.outer.bias, padding=2).transpose(1, 2)
        states = layer.final_norm(states + convolved)
    return states


@settings(deadline=None, max_examples=10)
@given(lengths=st.lists(st.integers(1, 8), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_a_row_is_what_it_is_alone(lengths: list[int], seed: int) -> None:
    layers, generator = stack(), torch.Generator().manual_seed(seed)
    states = torch.randn(len(lengths), max(lengths), 12, generator=generator)
    with torch.no_grad():
        found = layers(states, mask(lengths))
        for row, length in enumerate(lengths):
            torch.testing.assert_close(
                found[row, :length], oracle(layers.layers, states[row : row + 1, :length])[0], **CLOSE
            )
            assert not found[row, length:].any()


def test_padding_takes_part_where_it_is_kept() -> None:
    layers, states = stack(keeps_padding=True), torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = layers(states, mask([6, 3]))
        alone = layers(states[1:, :3], mask([3]))
    assert found[1, 3:].any()
    assert not torch.allclose(found[1, :3], alone[0], atol=1e-2)
    torch.testing.assert_close(found[:1], oracle(layers.layers, states[:1]), **CLOSE)


def test_layers_computed_again_give_the_same_gradients() -> None:
    gradients = []
    for recomputes in (False, True):
        layers = stack().train()
        layers.recomputes = recomputes
        states = torch.randn(2, 6, 12, generator=torch.Generator().manual_seed(1))
        layers(states, mask([6, 3])).square().sum().backward()
        gradients.append([weight.grad for weight in layers.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize(("name", "value"), [("num_heads", 5), ("kernel", 4)])
def test_sizes_that_no_layer_can_have_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=name):
        replace(CONFIG, **{name: value})
