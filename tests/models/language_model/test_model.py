import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.language_model.sizes import VOCAB_SIZE, build
from sprachbund.errors import DataError
from sprachbund.models.language_model.model import TransformerLanguageModel

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
MODELS = {
    "usual": build(),
    "norm last": build(norm_first=False, has_embedding_norm=True),
    "learned": build(positions="learned", max_positions=20, share_embeddings=False),
    "bare": build(positions="none", scale_embedding=False, has_final_norm=False),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
some_lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def lines(lengths: list[int], seed: int) -> torch.Tensor:
    """Tokens padded with 1, each line begun with 2."""
    tokens = torch.randint(4, VOCAB_SIZE, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(seed))
    tokens[:, 0] = 2
    return tokens.masked_fill(torch.arange(max(lengths))[None] >= torch.tensor(lengths)[:, None], 1)


@each_model
@settings(deadline=None, max_examples=15)
@given(lengths=some_lengths, seed=st.integers(0, 99))
def test_a_batch_is_its_rows(model: TransformerLanguageModel, lengths: list[int], seed: int) -> None:
    tokens = lines(lengths, seed)
    with torch.no_grad():
        logits = model.predict_next(tokens)
        for row, length in enumerate(lengths):
            alone = model.predict_next(tokens[row : row + 1, :length])[0]
            torch.testing.assert_close(logits[row, :length], alone, **CLOSE)


@each_model
@settings(deadline=None, max_examples=15)
@given(parts=st.lists(st.integers(1, 3), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_read_with_a_cache_is_read_at_once(model: TransformerLanguageModel, parts: list[int], seed: int) -> None:
    tokens = lines([sum(parts)] * 2, seed)
    cache = model.start_cache(2)
    with torch.no_grad():
        pieces = [model.predict_next(piece, cache=cache) for piece in tokens.split(parts, dim=1)]
        torch.testing.assert_close(torch.cat(pieces, dim=1), model.predict_next(tokens), **CLOSE)


@each_model
def test_the_order_of_what_was_written_matters(model: TransformerLanguageModel) -> None:
    one, other = torch.tensor([[2, 4, 5, 6]]), torch.tensor([[2, 5, 4, 6]])
    with torch.no_grad():
        after, after_other = (model.predict_next(tokens)[0, -1] for tokens in (one, other))
    # Without positions two tokens of the past count alike whatever their order, but for the layers between.
    assert not torch.allclose(after, after_other, atol=1e-4)


def test_learned_positions_end() -> None:
    model = MODELS["learned"]
    model.predict_next(torch.full((1, 20), 2))
    with pytest.raises(DataError, match=r"longer than the positions.*21 tokens, there are 20"):
        model.predict_next(torch.full((1, 21), 2))
    cache = model.start_cache(1)
    model.predict_next(torch.full((1, 20), 2), cache=cache)
    with pytest.raises(DataError, match="longer than the positions"):
        model.predict_next(torch.full((1, 1), 2), cache=cache)
    MODELS["usual"].predict_next(torch.full((1, 2000), 2))


def test_embeddings_are_shared_or_not() -> None:
    shared, apart = build(), build(share_embeddings=False)
    assert shared.head.weight is shared.prenet.embedding.weight
    assert apart.head.weight is not apart.prenet.embedding.weight
    for model in (shared, apart):
        assert not model.prenet.embedding.weight[1].any()
        # As wide as embeddings of that width are.
        assert 0.15 < float(model.head.weight.detach().std()) < 0.35


def test_every_weight_learns() -> None:
    for name, model in MODELS.items():
        model.predict_next(lines([5, 3], 0)).square().sum().backward()
        assert [part for part, weight in model.named_parameters() if weight.grad is None] == [], name
        model.zero_grad()
