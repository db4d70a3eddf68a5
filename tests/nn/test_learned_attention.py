import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.relative import attention_written_out, padding, projected
from sprachbund.nn.learned_attention import _Attention, learned_attention
from sprachbund.nn.positions import distance_vectors


@settings(deadline=None, max_examples=25)
@given(
    frames=st.integers(1, 14),
    first=st.integers(0, 5),
    reach=st.integers(1, 9),
    shares=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_values_and_gradients_are_those_of_attention_written_out(frames, first, reach, shares, seed):
    width = first + frames
    lengths = [max(1, round(share * width)) for share in shares]
    queries, keys, values = projected((len(lengths), 2, width, 4), seed)
    queries = queries[:, :, first:]
    table = torch.randn(2 * reach, 4, generator=torch.Generator().manual_seed(seed))
    inputs = [part.detach().requires_grad_() for part in (queries, keys, values, table)]
    hidden = padding(lengths, width)[:, None, None]
    result = learned_attention(*inputs, first=first, hidden=hidden, dropout=0.0)
    expected = attention_written_out(*inputs, hidden=hidden, first=first)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    target = torch.randn(result.shape, generator=torch.Generator().manual_seed(seed))
    ours, theirs = (torch.autograd.grad((x * target).sum(), inputs) for x in (result, expected))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("drops", [False, True])
def test_the_gradient_is_that_of_the_numbers(drops):
    torch.manual_seed(0)
    queries, keys, values = (part.double().contiguous().requires_grad_() for part in projected((2, 2, 5, 3)))
    vectors = distance_vectors(torch.randn(6, 3, dtype=torch.double), 5, 5, 0).detach().requires_grad_()
    hidden = padding([5, 3], 5)[:, None, None]
    dropped = torch.rand(2, 2, 5, 5) < 0.3 if drops else None
    assert torch.autograd.gradcheck(
        lambda *parts: _Attention.apply(*parts, hidden, dropped), (queries, keys, values, vectors)
    )


def test_dropout_takes_weights_away_and_keeps_the_mean():
    queries, keys, values = projected((1, 2, 6, 4))
    table = torch.randn(8, 4, requires_grad=True)
    plain = learned_attention(queries, keys, values, table, first=0, hidden=None, dropout=0.0)
    torch.manual_seed(0)
    draws = [learned_attention(queries, keys, values, table, first=0, hidden=None, dropout=0.4) for _ in range(3000)]
    assert not torch.equal(draws[0], draws[1])
    torch.testing.assert_close(torch.stack(draws).mean(dim=0), plain, rtol=0.0, atol=0.08)


def test_half_precision_stays_near():
    queries, keys, values = projected((2, 4, 60, 32))
    table = 0.5 * torch.randn(20, 32, generator=torch.Generator().manual_seed(1))
    inputs = [part.detach().requires_grad_() for part in (queries, keys, values, table)]
    results = []
    for kind in (torch.float32, torch.bfloat16):
        cast = [part.to(kind) for part in inputs]
        result = learned_attention(*cast, first=0, hidden=None, dropout=0.0)
        assert result.dtype == kind
        results.append((result.float(), *torch.autograd.grad(result.float().square().sum(), inputs)))
    for single, short in zip(*results, strict=True):
        assert (single - short).norm() < 0.02 * single.norm()
