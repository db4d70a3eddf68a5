import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.sequence.sizes import NUM_TARGETS, build, sequence_batch, sources
from sprachbund.decoding.sequence import Written, generate
from sprachbund.errors import CheckpointError
from sprachbund.models.sequence.model import SequenceModel
from sprachbund.objectives.sequence import SequenceWriting, SequenceWritingConfig
from sprachbund.shapes import Tensor

some_lengths = st.lists(st.integers(0, 7), min_size=1, max_size=5)


def shaken(seed: int) -> SequenceModel:
    """A model that ends some rows soon and some never: its head is not tied, else it would repeat what it reads."""
    model = build(seed)
    generator = torch.Generator().manual_seed(seed)
    model.head.weight = torch.nn.Parameter(torch.randn(NUM_TARGETS, 12, generator=generator))
    return model


def by_hand(model: SequenceModel, tokens: Tensor, limit: int) -> Written:
    """One row, without a cache."""
    said: list[int] = []
    with torch.no_grad():
        memory = model.encode_text(tokens[None], torch.tensor([len(tokens)]))
        while True:
            logits = model.decode_text(torch.tensor([[2, *said]]), memory)[0, -1]
            token = max((token for token in range(NUM_TARGETS) if token not in (0, 1, 3)), key=lambda one: logits[one])
            if token == 2:
                return Written(said, True)
            if len(said) == limit:
                return Written(said, False)
            said.append(token)


@settings(deadline=None, max_examples=25)
@given(lengths=some_lengths, seed=st.integers(0, 9), limit=st.integers(0, 9))
def test_a_row_is_written_as_it_is_alone_without_a_cache(lengths: list[int], seed: int, limit: int) -> None:
    model = shaken(seed)
    tokens, sizes = sources([*lengths, 3], seed)
    found = generate(model, tokens, sizes, limit)
    for row, length in enumerate(lengths):
        expected = by_hand(model, tokens[row, :length], limit) if length else Written([], True)
        assert found[row] == expected


def test_rows_end_at_different_times_and_some_at_the_limit() -> None:
    """What the property above must have met to mean anything."""
    seen = set()
    for seed in range(10):
        tokens, sizes = sources([5, 4, 3, 2], seed)
        seen |= {(len(row.tokens), row.is_complete) for row in generate(shaken(seed), tokens, sizes, 6)}
    assert (6, False) in seen
    assert len({length for length, is_complete in seen if is_complete}) >= 3


def test_every_row_may_have_its_own_limit() -> None:
    model = shaken(0)
    with torch.no_grad():
        model.decoder.norm.bias[:] = 100 * model.head.weight[5]  # says 5 for ever
    tokens, sizes = sources([3, 3, 3])
    found = generate(model, tokens, sizes, [2, 0, 4])
    assert found == [Written([5] * limit, False) for limit in (2, 0, 4)]


def test_finished_rows_leave_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rows = shaken(0), []
    decode = model.decode_text
    monkeypatch.setattr(
        model, "decode_text", lambda last, *rest, **more: rows.append(len(last)) or decode(last, *rest, **more)
    )
    tokens, sizes = sources([5, 4, 3, 2])
    found = generate(model, tokens, sizes, [1, 2, 3, 4])
    asked = [len(row.tokens) + 1 for row in found]
    assert rows == [sum(count > step for count in asked) for step in range(max(asked))]


def test_what_was_learned_by_heart_is_written() -> None:
    torch.manual_seed(0)
    model, batch = build().train(), sequence_batch()
    objective = SequenceWriting(model, SequenceWritingConfig(label_smoothing=0.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(80):
        optimizer.zero_grad()
        objective(batch).total().backward()
        optimizer.step()
    found = generate(model.eval(), batch.tokens, batch.token_lengths, 20)
    assert all(row.is_complete for row in found)
    assert [row.tokens for row in found] == [
        targets[: length - 1].tolist() for targets, length in zip(batch.targets, batch.target_lengths, strict=True)
    ]


def test_numbers_that_are_none_are_refused() -> None:
    model = build()
    with torch.no_grad():
        model.head.weight[5] = torch.nan
    with pytest.raises(CheckpointError, match="not numbers"):
        generate(model, *sources([3]), 5)
