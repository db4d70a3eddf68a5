from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.nn.causal import CausalStack
from sprachbund.nn.transformer import StackConfig

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
DIM = 8


def stack(has_final_norm: bool = True, **changes: Any) -> CausalStack:
    usual: dict[str, Any] = {
        "dim": DIM, "ffn_dim": 12, "num_layers": 2, "num_heads": 2, "norm_first": True, "dropout": 0.0,
        "attention_dropout": 0.0, "layerdrop": 0.0, "max_relative_distance": None,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CausalStack(StackConfig(**(usual | changes)), has_final_norm=has_final_norm).eval()


STACKS = {"norm first": stack(), "norm last": stack(norm_first=False), "no final norm": stack(False)}
each_stack = pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())


def states(batch: int, length: int, seed: int) -> torch.Tensor:
    return torch.randn(batch, length, DIM, generator=torch.Generator().manual_seed(seed))


@each_stack
@settings(deadline=None, max_examples=15)
@given(parts=st.lists(st.integers(1, 3), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_with_a_cache_is_at_once(layers: CausalStack, parts: list[int], seed: int) -> None:
    given = states(2, sum(parts), seed)
    cache = layers.start_cache(2)
    with torch.no_grad():
        pieces = [layers.step(piece, cache) for piece in given.split(parts, dim=1)]
        torch.testing.assert_close(torch.cat(pieces, dim=1), layers(given), **CLOSE)
    assert cache.length == sum(parts)


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(st.integers(0, 2), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_a_reordered_cache_is_that_of_the_rows(rows: list[int], seed: int) -> None:
    layers, given = STACKS["norm first"], states(3, 4, seed)
    kept, more = torch.tensor(rows), states(len(rows), 2, seed + 1)
    cache = layers.start_cache(3)
    with torch.no_grad():
        layers.step(given, cache)
        cache.reorder(kept)
        whole = layers(torch.cat([given[kept], more], dim=1))[:, -2:]
        torch.testing.assert_close(layers.step(more, cache), whole, **CLOSE)


@each_stack
def test_nothing_is_seen_before_its_time_and_all_of_it_later(layers: CausalStack) -> None:
    one, other = states(1, 5, 0), states(1, 5, 0)
    other[:, 2] = -other[:, 2]
    with torch.no_grad():
        first, second = layers(one), layers(other)
    torch.testing.assert_close(first[:, :2], second[:, :2], **CLOSE)
    changed = (first[:, 2:] - second[:, 2:]).abs().amax(dim=2)
    assert (changed > 1e-3).all()


def test_norms_stand_where_they_are_said_to() -> None:
    given = states(1, 3, 0)
    with torch.no_grad():
        for name, has_unit_scale in (("norm first", True), ("norm last", True), ("no final norm", False)):
            scale = STACKS[name](given).std(dim=2, correction=0)
            assert torch.allclose(scale, torch.ones(1, 3), atol=1e-3) is has_unit_scale, name
    assert [layers.norm is None for layers in STACKS.values()] == [False, True, True]


def test_layers_may_be_computed_twice_and_dropped() -> None:
    kept, twice = stack().train(), stack().train()
    twice.recomputes = True
    for layers in (kept, twice):
        layers(states(2, 3, 0)).square().sum().backward()
    for one, other in zip(kept.parameters(), twice.parameters(), strict=True):
        assert one.grad is not None and torch.equal(one.grad, other.grad)
    dropped = stack(False, layerdrop=1.0).train()
    assert torch.equal(dropped(states(2, 3, 0)), states(2, 3, 0))


def test_a_stack_of_no_layers_has_an_empty_cache() -> None:
    layers = stack(num_layers=0)
    cache = layers.start_cache(2)
    assert layers.step(states(2, 1, 0), cache).shape == (2, 1, DIM)
    cache.reorder(torch.tensor([0]))
    assert cache.pasts == []
