import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from models.text_to_unit.sizes import VARIED, build, text_to_unit_batch
from objectives.laws import assert_rows_add_up
from sprachbund.objectives.text_to_unit import UnitPrediction, UnitPredictionConfig


def test_the_loss_is_a_mean_over_units_and_one_over_phones() -> None:
    model, batch = build(), text_to_unit_batch()
    loss = UnitPrediction(model, UnitPredictionConfig(duration_weight=0.5))(batch)
    predicted = model.predict_units(batch.tokens, batch.token_lengths, batch.durations)
    units = F.cross_entropy(predicted.logits.flatten(0, 1), batch.units.flatten(), ignore_index=1).item()
    errors = [
        predicted.log_durations[row, place].item() - math.log(1 + int(batch.durations[row, place]))
        for row, length in enumerate(batch.token_lengths.tolist())
        for place in range(length)
    ]
    squares = sum(error**2 for error in errors) / 9
    assert loss.total().item() == pytest.approx(units + 0.5 * squares, rel=1e-5)
    correct, count = loss.figures["unit_accuracy"]
    assert count == batch.unit_lengths.sum()
    assert correct == ((predicted.logits.argmax(dim=2) == batch.units) & (batch.units != 1)).sum()
    off, count = loss.figures["log_duration_error"]
    assert count == 9
    assert float(off) == pytest.approx(sum(map(abs, errors)), rel=1e-5)


@pytest.mark.parametrize("changes", [{}, VARIED], ids=["plain", "varied"])
def test_a_batch_is_the_window_of_its_rows(changes: dict) -> None:
    model = build(**changes).train()
    assert_rows_add_up(UnitPrediction(model, UnitPredictionConfig(label_smoothing=0.1)), model, text_to_unit_batch())


def test_counts_need_no_forward() -> None:
    batch = text_to_unit_batch()
    for weight in (0.0, 1.0):
        objective = UnitPrediction(build(), UnitPredictionConfig(duration_weight=weight))
        assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}
        assert ("durations" in objective.counts(batch)) == bool(weight)


def test_smoothing_is_that_of_the_configuration() -> None:
    plain, some, much = (
        UnitPrediction(build(), UnitPredictionConfig(label_smoothing=smoothing))(text_to_unit_batch()).terms[0].sum
        for smoothing in (0.0, 0.1, 0.5)
    )
    torch.testing.assert_close(some - plain, (much - plain) / 5)
    assert some != plain


def test_pitch_is_learned_where_it_is_known() -> None:
    model, batch = build(**VARIED), text_to_unit_batch()
    known = replace(batch, pitches=torch.rand(3, 5, generator=torch.Generator().manual_seed(0)))
    objective = UnitPrediction(model)
    assert objective.counts(known).keys() == {"units", "durations", "pitches"}
    loss = objective(known)
    predicted = model.predict_units(batch.tokens, batch.token_lengths, batch.durations, pitches=known.pitches)
    assert predicted.pitches is not None
    valid = batch.tokens != 1
    expected = F.mse_loss(predicted.pitches[valid], known.pitches[valid])
    term = next(term for term in loss.terms if term.name == "pitches")
    torch.testing.assert_close(term.weight * term.sum / term.count, expected)


def test_units_and_durations_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    model, batch = build().train(), text_to_unit_batch()
    objective = UnitPrediction(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        objective(batch).total().backward()
        optimizer.step()
    found = model.eval().predict_units(batch.tokens, batch.token_lengths)
    assert torch.equal(found.durations, batch.durations)
    assert torch.equal(found.units, batch.units)
