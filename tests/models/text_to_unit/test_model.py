import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.text_to_unit.sizes import NUM_UNITS, UNUSED, VARIED, build, phones, text_to_unit_batch
from sprachbund.errors import CheckpointError
from sprachbund.models.text_to_unit.model import TextToUnit

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
MODELS = {"plain": build(), "varied": build(**VARIED), "unused": build(**UNUSED)}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())


@each_model
@settings(deadline=None, max_examples=15)
@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4), seed=st.integers(0, 99), is_told=st.booleans())
def test_a_batch_is_its_rows(model: TextToUnit, lengths: list[int], seed: int, is_told: bool) -> None:
    batch = text_to_unit_batch(tuple(lengths), seed)
    told = batch.durations if is_told else None
    with torch.no_grad():
        together = model.predict_units(batch.tokens, batch.token_lengths, told)
        for row, length in enumerate(lengths):
            tokens, sizes = batch.tokens[row : row + 1, :length], batch.token_lengths[row : row + 1]
            alone = model.predict_units(tokens, sizes, None if told is None else told[row : row + 1, :length])
            count = int(alone.lengths[0])
            assert together.lengths[row] == count
            assert together.durations[row].tolist() == alone.durations[0].tolist() + [0] * (max(lengths) - length)
            torch.testing.assert_close(together.logits[row, :count], alone.logits[0, :count], **CLOSE)
            torch.testing.assert_close(together.log_durations[row, :length], alone.log_durations[0], **CLOSE)
            assert together.units[row].tolist()[:count] == alone.units[0].tolist()[:count]


def test_the_durations_differ_or_the_law_says_nothing() -> None:
    with torch.no_grad():
        found = MODELS["plain"].predict_units(*phones([7, 5, 3])).durations
    assert len(set(found[found > 0].tolist())) >= 2


def test_padding_leaks_as_it_did_where_it_is_wanted() -> None:
    batch = text_to_unit_batch((5, 2))
    model = build(original_numerics=True)
    with torch.no_grad():
        together = model.predict_units(batch.tokens, batch.token_lengths, batch.durations)
        alone = model.predict_units(batch.tokens[1:, :2], batch.token_lengths[1:], batch.durations[1:, :2])
    assert not torch.allclose(together.log_durations[1, :2], alone.log_durations[0], atol=1e-3)


def test_what_is_told_is_as_long_as_it_is_told() -> None:
    batch = text_to_unit_batch()
    found = MODELS["plain"].predict_units(batch.tokens, batch.token_lengths, batch.durations)
    assert torch.equal(found.lengths, batch.unit_lengths)
    assert found.logits.shape == (*batch.units.shape, NUM_UNITS)
    assert found.durations is batch.durations


def test_units_of_a_phone_depend_on_their_place() -> None:
    """Else every unit of a phone would be the same, and durations would be all that is learned."""
    found = MODELS["plain"].predict_units(*phones([1]), torch.tensor([[4]]))
    assert not torch.allclose(found.logits[0, 0], found.logits[0, 3], atol=1e-3)


def test_a_line_that_lasts_no_time_has_no_units() -> None:
    model = build()
    with torch.no_grad():
        model.duration_predictor.output.bias -= 20.0
        found = model.predict_units(*phones([3, 2]))
    assert found.lengths.tolist() == [0, 0]
    assert found.units.tolist() == [[1], [1]]


def test_true_pitch_is_heard() -> None:
    batch, model = text_to_unit_batch(), MODELS["varied"]
    low, high = (
        model.predict_units(batch.tokens, batch.token_lengths, batch.durations, pitches=torch.full((3, 5), value))
        for value in (0.0, 1.0)
    )
    assert not torch.allclose(low.logits, high.logits, atol=1e-2)
    assert low.pitches is not None
    torch.testing.assert_close(low.pitches, high.pitches)
    plain = MODELS["unused"].predict_units(batch.tokens, batch.token_lengths, batch.durations)
    assert plain.pitches is None
    assert plain.energies is None


def test_durations_that_are_no_numbers_are_refused() -> None:
    model = build()
    with torch.no_grad():
        model.duration_predictor.output.bias.fill_(torch.nan)
    with pytest.raises(CheckpointError, match="durations that are not numbers"):
        model.predict_units(*phones([3]))


def test_every_weight_learns() -> None:
    model, batch = build().train(), text_to_unit_batch()
    found = model.predict_units(batch.tokens, batch.token_lengths, batch.durations)
    (found.logits.square().sum() + found.log_durations.square().sum()).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def test_embeddings_begin_as_published() -> None:
    model = build()
    assert not model.embedding.weight[1].any()
    torch.testing.assert_close(model.embedding.weight[2:].std().item(), 12**-0.5, rtol=0.2, atol=0)
    assert (model.phone_position_scale, model.unit_position_scale) == (1, 1)
    model = build(position_scale=0.25)
    assert (model.phone_position_scale, model.unit_position_scale) == (0.25, 0.25)
