import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nn.relative import attention_written_out, padding, projected
from sprachbund.nn import banded_attention as module
from sprachbund.nn.banded_attention import banded_attention


@settings(deadline=None, max_examples=60)
@given(
    frames=st.integers(1, 40),
    reach=st.integers(1, 20),
    heads=st.integers(1, 5),
    block=st.integers(1, 45),
    shares=st.lists(st.floats(0.01, 1.0), min_size=1, max_size=3),
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_the_band_is_attention_written_out(frames, reach, heads, block, shares, threads, seed):
    lengths = [max(1, round(share * frames)) for share in shares]
    queries, keys, values = projected((len(lengths), heads, frames, 8), seed)
    table = torch.randn(2 * reach, 8, generator=torch.Generator().manual_seed(seed))
    hidden = padding(lengths, frames)[:, None, None]
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_QUERIES", block)
        patch.setattr(torch, "get_num_threads", lambda: threads)  # the heads of a group
        result = banded_attention(queries, keys, values, table, lengths)
    expected = attention_written_out(queries, keys, values, table, hidden)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_large_logits_do_not_overflow():
    queries, keys, values = projected((1, 2, 50, 8))
    table = 100 * torch.randn(12, 8)
    with torch.no_grad():
        result = banded_attention(50 * queries, 50 * keys, values, table, [50])
    expected = attention_written_out(50 * queries.double(), 50 * keys.double(), values.double(), table.double())
    torch.testing.assert_close(result.double(), expected, rtol=1e-3, atol=1e-3)


def test_a_row_is_what_it_is_alone():
    queries, keys, values = projected((3, 2, 37, 8))
    table = torch.randn(10, 8)
    with torch.no_grad():
        batched = banded_attention(queries, keys, values, table, [37, 20, 1])
        for row, length in enumerate((37, 20, 1)):
            one = (part[row : row + 1, :, :length] for part in (queries, keys, values))
            alone = banded_attention(*one, table, [length])
            torch.testing.assert_close(batched[row, :, :length], alone[0], rtol=1e-5, atol=1e-6)


def test_blocks_of_a_long_sequence_are_smaller(monkeypatch):
    monkeypatch.setattr(module, "MAX_BLOCK_VALUES", 2 * 128 * 3)
    band = module._Band(torch.randn(10, 8), 2, 100)
    assert band.logits.shape == (2, 3, 128)
