import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.nn import relative_attention
from sprachbund.nn.attention import KeysValues, MultiheadAttention


def naive(module, states, memory, hidden=None, table=None, first=0):
    """Attention written out, with a whole table of distances."""
    queries = module._split(module.query(states)) * module.head_dim**-0.5
    keys, values = module.project_memory(memory)
    logits = queries @ keys.transpose(2, 3)
    if table is not None:
        reach = len(table) // 2
        distance = torch.arange(first, first + states.shape[1])[:, None] - torch.arange(memory.shape[1])[None]
        vectors = table[distance.clamp(-reach, reach - 1) + reach]
        logits = logits + torch.einsum("bhqd,qkd->bhqk", queries, vectors)
    if hidden is not None:
        logits = logits.masked_fill(hidden, float("-inf"))
    weights = logits.softmax(dim=3)
    return module._join(weights @ values), weights


@settings(deadline=None, max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 11), min_size=1, max_size=3),
    causal=st.booleans(),
    has_table=st.booleans(),
    block=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_attention_is_attention_written_out(lengths, causal, has_table, block, seed):
    torch.manual_seed(seed)
    size = max(lengths)
    module = MultiheadAttention(8, 2).eval()
    states = torch.randn(len(lengths), size, 8)
    padding = torch.arange(size)[None] >= torch.tensor(lengths)[:, None]
    table = torch.randn(6, 4) if has_table else None
    hidden = padding[:, None, None]
    if causal:
        hidden = hidden | torch.ones(size, size, dtype=torch.bool).triu(1)
    expected, weights = naive(module, states, states, hidden, table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relative_attention, "BLOCK_BYTES", 200 * block)
        own = module.project_memory(states)
        result = module(states, own, padding_mask=padding, causal=causal, relative_table=table)
    torch.testing.assert_close(result.states, expected, rtol=1e-5, atol=1e-5)
    if not has_table:
        looked = module(states, own, padding_mask=padding, causal=causal, need_weights=True)
        torch.testing.assert_close(looked.weights, weights, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(looked.states, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("has_table", [False, True])
def test_the_last_queries_see_what_they_saw_in_the_whole(has_table):
    torch.manual_seed(0)
    module = MultiheadAttention(8, 2).eval()
    table = torch.randn(6, 4) if has_table else None
    states = torch.randn(2, 7, 8)
    memory = module.project_memory(states)
    whole = module(states, memory, causal=True, relative_table=table).states
    for start in range(7):
        part = KeysValues(*(tensor[:, :, :7] for tensor in memory))
        last = module(states[:, start:], part, causal=True, relative_table=table).states
        torch.testing.assert_close(last, whole[:, start:], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", ["plain", "weights", "table", "causal"])
def test_a_row_of_padding_gives_finite_numbers_and_gradients(how):
    torch.manual_seed(0)
    module = MultiheadAttention(8, 2)
    states = torch.randn(2, 5, 8, requires_grad=True)
    padding = torch.tensor([[False] * 5, [True] * 5])
    table = torch.randn(6, 4, requires_grad=True) if how == "table" else None
    memory = module.project_memory(states)
    result = module(
        states,
        memory,
        padding_mask=padding,
        causal=how == "causal",
        relative_table=table,
        need_weights=how == "weights",
    )
    result.states.square().sum().backward()
    assert result.states.isfinite().all()
    assert states.grad.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in module.parameters())


def test_memory_may_have_another_width():
    module = MultiheadAttention(8, 2, memory_dim=5)
    memory = module.project_memory(torch.randn(2, 9, 5))
    assert module(torch.randn(2, 3, 8), memory).states.shape == (2, 3, 8)


def test_dropout_is_for_training():
    torch.manual_seed(0)
    module = MultiheadAttention(8, 2, dropout=0.5)
    states = torch.randn(1, 20, 8)
    memory = module.project_memory(states)
    for need_weights in (False, True):
        trained = module.train()(states, memory, need_weights=need_weights).states
        evaluated = module.eval()(states, memory, need_weights=need_weights).states
        assert not torch.allclose(trained, evaluated, atol=1e-4)
