from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.relative import Largest, attention_written_out, padding, projected
from sprachbund.nn import relative_attention as module
from sprachbund.nn.masking import hidden_keys
from sprachbund.nn.relative_attention import block_queries, relative_attention

MEBIBYTE = 2**20
FRAMES = 1499  # of 30 s


@contextmanager
def blocks_of(num_bytes: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", num_bytes)
        yield


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 3000),
    queries=st.integers(1, 4000),
    keys=st.integers(1, 4000),
    budget=st.integers(1, 64 * MEBIBYTE),
)
def test_a_block_keeps_to_the_budget_and_is_no_smaller_than_it_must(rows, queries, keys, budget):
    with blocks_of(budget):
        size = block_queries(rows, queries, keys)
    assert 1 <= size <= queries
    assert size == 1 or 4 * rows * size * (keys + size - 1) <= budget
    most = next(n for n in range(queries, 0, -1) if n == 1 or 4 * rows * n * (keys + n - 1) <= budget)
    # As many blocks as the largest size gives.
    assert -(-queries // size) == -(-queries // most)


@settings(deadline=None, max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 14), min_size=1, max_size=3),
    causal=st.booleans(),
    learns=st.booleans(),
    reach=st.integers(1, 9),
    budget=st.integers(1, 4000),
    half=st.booleans(),
    seed=st.integers(0, 99),
)
def test_blocks_are_the_whole(lengths, causal, learns, reach, budget, half, seed):
    width = max(lengths)
    queries, keys, values = projected((len(lengths), 2, width, 4), seed)
    table = torch.randn(2 * reach, 4, generator=torch.Generator().manual_seed(seed))
    mask = padding(lengths, width)
    hidden = hidden_keys(mask, causal, width, width, 0, queries.device)
    expected = attention_written_out(queries, keys, values, table, hidden)
    kind = torch.bfloat16 if half else torch.float32
    inputs = [part.to(kind).requires_grad_(learns) for part in (queries, keys, values, table)]
    with blocks_of(budget):
        result = relative_attention(*inputs, padding_mask=mask, causal=causal)
    assert result.dtype == kind
    tolerance = {"rtol": 0.05, "atol": 0.05} if half else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(result.float(), expected, **tolerance)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_blocks_are_those_of_the_whole(causal):
    mask = padding([13, 7], 13)
    found = []
    for budget in (1, 500, 10**9):
        inputs = [part.detach().requires_grad_() for part in projected((2, 2, 13, 4))]
        table = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        with blocks_of(budget):
            result = relative_attention(*inputs, table, padding_mask=mask, causal=causal)
        found.append((result, *torch.autograd.grad(result.square().sum(), [*inputs, table])))
    for one, two, whole in zip(*found, strict=True):
        torch.testing.assert_close(one, whole, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(two, whole, rtol=1e-4, atol=1e-5)


def test_a_block_computed_again_drops_the_same_weights():
    """The gradient of a sum over the values' own copies of the weights tells which were kept."""
    queries, keys, _ = projected((1, 2, 9, 9))
    table = torch.randn(6, 9, requires_grad=True)
    values = torch.eye(9).expand(1, 2, 9, 9).clone().requires_grad_()
    torch.manual_seed(0)
    with blocks_of(4 * 2 * 3 * 11):
        weights = relative_attention(queries, keys, values, table, dropout=0.5)
    weights.sum().backward()
    torch.testing.assert_close(values.grad.sum(dim=3) / 9, weights.detach().sum(dim=2))


@pytest.mark.parametrize("mask", [[[False, True, False, False]], [[True, False, False, False]]])
def test_padding_need_not_come_last(mask):
    queries, keys, values = projected((1, 2, 4, 4))
    table = torch.randn(2, 4)
    mask = torch.tensor(mask)
    with torch.no_grad():
        result = relative_attention(queries, keys, values, table, padding_mask=mask)
    expected = attention_written_out(queries, keys, values, table, mask[:, None, None])
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("size", "heads"), [("base", 12), ("large", 16)])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_no_tensor_of_all_queries_by_all_keys_exists_at_30_seconds(kind, size, heads, batch, padded):
    queries, keys, values = (part.to(kind) for part in projected((batch, heads, FRAMES, 64)))
    table = torch.randn(320, 64, dtype=kind)
    mask = padding([FRAMES, 1000, 700, 80][:batch] if padded else [FRAMES] * batch, FRAMES)
    with torch.no_grad(), Largest() as largest:
        result = relative_attention(queries, keys, values, table, padding_mask=mask)
    assert result.shape == (batch, heads, FRAMES, 64)
    inputs = queries.untyped_storage().nbytes()
    whole = batch * heads * FRAMES**2 * queries.element_size()
    assert largest.bytes <= 50 * MEBIBYTE
    assert inputs <= largest.bytes < whole / 2


def test_blocks_in_training_are_not_kept():
    queries, keys, values = (part.detach().requires_grad_() for part in projected((1, 2, 700, 8)))
    table = torch.randn(40, 8, requires_grad=True)
    kept = []
    with (
        blocks_of(MEBIBYTE),
        torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.nbytes) or x, lambda x: x),
    ):
        result = relative_attention(queries, keys, values, table, dropout=0.1)
    assert max(kept, default=0) <= 4 * 2 * 700 * 8  # queries, keys, values
    with Largest() as largest:
        result.square().sum().backward()
    assert largest.bytes <= MEBIBYTE
    assert table.grad.isfinite().all()
