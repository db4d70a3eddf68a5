from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sequence.sizes import NUM_TARGETS, build, small_config, sources
from sprachbund.models.encoded import Encoded
from sprachbund.models.sequence.model import SequenceModel

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


RELATIVE = replace(small_config().encoder, max_relative_distance=3)
MODELS = {"sinusoids": build(), "relative": build(encoder=RELATIVE)}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
some_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@each_model
@settings(deadline=None, max_examples=15)
@given(lengths=some_lengths, seed=st.integers(0, 99))
def test_a_batch_is_its_rows(model: SequenceModel, lengths: list[int], seed: int) -> None:
    tokens, sizes = sources(lengths, seed)
    said = torch.randint(2, NUM_TARGETS, (len(lengths), 4), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        memory = model.encode_text(tokens, sizes)
        logits = model.decode_text(said, memory)
        for row, length in enumerate(lengths):
            alone = model.encode_text(tokens[row : row + 1, :length], sizes[row : row + 1])
            torch.testing.assert_close(memory.states[row, :length], alone.states[0], **CLOSE)
            assert not memory.states[row, length:].any()
            torch.testing.assert_close(logits[row], model.decode_text(said[row : row + 1], alone)[0], **CLOSE)


@each_model
@settings(deadline=None, max_examples=15)
@given(parts=st.lists(st.integers(1, 3), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_written_with_a_cache_is_written_at_once(model: SequenceModel, parts: list[int], seed: int) -> None:
    tokens, sizes = sources([6, 2], seed)
    said = torch.randint(2, NUM_TARGETS, (2, sum(parts)), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        memory = model.encode_text(tokens, sizes)
        cache = model.start_cache(memory)
        pieces = [model.decode_text(piece, memory, cache=cache) for piece in said.split(parts, dim=1)]
        torch.testing.assert_close(torch.cat(pieces, dim=1), model.decode_text(said, memory), **CLOSE)


def test_nothing_is_seen_before_its_time() -> None:
    model = MODELS["sinusoids"]
    memory = Encoded(torch.randn(1, 3, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([3]))
    one, other = torch.tensor([[2, 5, 6, 7]]), torch.tensor([[2, 5, 8, 9]])
    with torch.no_grad():
        first, second = model.decode_text(one, memory), model.decode_text(other, memory)
    torch.testing.assert_close(first[:, :2], second[:, :2], **CLOSE)
    assert not torch.allclose(first[:, 2:], second[:, 2:], atol=1e-3)


def test_the_order_of_what_is_read_matters() -> None:
    model = MODELS["sinusoids"]
    with torch.no_grad():
        one, other = (
            model.encode_text(torch.tensor([tokens]), torch.tensor([3])).states for tokens in ([4, 5, 6], [6, 5, 4])
        )
    assert not torch.allclose(one, other.flip(1), atol=1e-3)


def test_the_head_shares_the_embeddings_of_what_is_written() -> None:
    model = build()
    assert model.head.weight is model.target_prenet.embedding.weight
    assert not model.target_prenet.embedding.weight[1].any()
    assert not model.source_prenet.embedding.weight[1].any()


def test_every_weight_learns() -> None:
    model = build().train()
    tokens, sizes = sources([4, 2])
    model.decode_text(torch.tensor([[2, 5], [2, 6]]), model.encode_text(tokens, sizes)).square().sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
