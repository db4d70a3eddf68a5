from dataclasses import replace

import pytest
import torch

from nn.stacks import CONFIG, mask, shaken
from sprachbund.nn.decoder import DecoderStack

NORMS = pytest.mark.parametrize("norm_first", [False, True])


@NORMS
def test_the_decoder_looks_back_and_not_ahead(norm_first):
    torch.manual_seed(0)
    stack = shaken(DecoderStack(replace(CONFIG, norm_first=norm_first), 10))
    assert (stack.norm is not None) == norm_first
    memory, states = torch.randn(2, 6, 10), torch.randn(2, 5, 16)
    changed = states.clone()
    changed[:, 3:] += torch.randn(2, 2, 16)
    first, second = (stack(x, memory, mask([6, 2])).states for x in (states, changed))
    torch.testing.assert_close(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3:], second[:, 3:], atol=1e-2)


@NORMS
def test_the_decoder_ignores_padded_memory(norm_first):
    torch.manual_seed(0)
    stack = shaken(DecoderStack(replace(CONFIG, norm_first=norm_first), 10))
    memory, states = torch.randn(2, 6, 10), torch.randn(2, 5, 16)
    result = stack(states, memory, mask([6, 2]), need_weights=True)
    alone = stack(states[1:], memory[1:, :2], None, need_weights=True)
    torch.testing.assert_close(result.states[1:], alone.states, rtol=1e-5, atol=1e-5)
    assert len(result.weights) == 2
    for batched, single in zip(result.weights, alone.weights, strict=True):
        torch.testing.assert_close(batched[1:, :, :, :2], single, rtol=1e-5, atol=1e-5)
        assert not batched[1:, :, :, 2:].any()


@NORMS
def test_steps_with_a_cache_are_the_whole(norm_first):
    torch.manual_seed(0)
    stack = shaken(DecoderStack(replace(CONFIG, norm_first=norm_first), 10))
    memory, states = torch.randn(2, 6, 10), torch.randn(2, 5, 16)
    whole = stack(states, memory, mask([6, 2]), need_weights=True)
    cache = stack.start_cache(memory, mask([6, 2]))
    pieces = [stack.step(states[:, i : i + 1], cache, need_weights=True) for i in range(5)]
    torch.testing.assert_close(torch.cat([p.states for p in pieces], dim=1), whole.states, rtol=1e-5, atol=1e-5)
    looked = torch.cat([p.weights[1] for p in pieces], dim=2)
    torch.testing.assert_close(looked, whole.weights[1], rtol=1e-5, atol=1e-5)


@NORMS
def test_steps_with_relative_positions_are_the_whole(norm_first):
    torch.manual_seed(0)
    stack = shaken(DecoderStack(replace(CONFIG, norm_first=norm_first), 10, is_relative=True))
    memory, states = torch.randn(2, 6, 10), torch.randn(2, 9, 16)
    whole = stack(states, memory, mask([6, 2])).states
    table = stack.relative.table.weight.data
    table.copy_(table.flip(0))
    assert not torch.allclose(stack(states, memory, mask([6, 2])).states, whole, atol=1e-3)
    table.copy_(table.flip(0))
    cache = stack.start_cache(memory, mask([6, 2]))
    pieces = [stack.step(states[:, part], cache).states for part in (slice(0, 1), slice(1, 4), slice(4, 9))]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, rtol=1e-5, atol=1e-5)


def test_relative_norms_of_a_post_norm_stack_are_kept_and_not_used():
    stack = DecoderStack(replace(CONFIG, norm_first=False), 10, is_relative=True)
    assert all(not layer.relative_norm.weight.requires_grad for layer in stack.layers)
    assert stack.relative is not None
