import math
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

import tiny
from objectives.batches import unit_batch
from objectives.laws import assert_rows_add_up
from sprachbund.errors import RecipeError
from sprachbund.objectives.loss import Loss
from sprachbund.objectives.masked_prediction import MaskedPrediction, MaskedPredictionConfig
from sprachbund.shapes import Tensor

BOTH = MaskedPredictionConfig(masked_weight=0.7, unmasked_weight=0.3, feature_penalty_weight=10.0)
RATES = {50.0: 1, 100.0: 2}


def sums(loss: Loss) -> dict[str, float]:
    return {term.name: term.sum.item() for term in loss.terms}


@pytest.mark.parametrize("rate", RATES)
def test_the_loss_is_that_of_the_paper(rate: float) -> None:
    """Equations 1 to 3 written out, frame by frame and unit by unit."""
    model, batch = tiny.hubert_model(unit_rate=rate), unit_batch(labels_per_frame=RATES[rate])
    loss = MaskedPrediction(model, BOTH)(batch)
    encoded = model.encode_speech(
        batch.waveforms,
        batch.waveform_lengths,
        time_mask=batch.time_mask,
        channel_mask=batch.channel_mask,
        with_energy=True,
    )
    predictor = model.unit_predictor
    assert predictor is not None
    expected = {True: 0.0, False: 0.0}
    counts = {True: 0, False: 0}
    for row in range(3):
        for frame in range(int(encoded.lengths[row])):
            projected = predictor.projection(encoded.states[row, frame])
            scores = [torch.cosine_similarity(projected, unit, dim=0).item() / 0.1 for unit in predictor.embeddings]
            unit = int(batch.units[row, RATES[rate] * frame])
            is_masked = bool(batch.time_mask[row, frame])
            expected[is_masked] += math.log(sum(map(math.exp, scores))) - scores[unit]
            counts[is_masked] += 1
    assert encoded.energy is not None
    found = sums(loss)
    assert found["masked_units"] == pytest.approx(expected[True], rel=1e-4)
    assert found["unmasked_units"] == pytest.approx(expected[False], rel=1e-4)
    total = (
        0.7 * expected[True] / counts[True]
        + 0.3 * expected[False] / counts[False]
        + 10.0 * encoded.energy.item() / (16 * sum(counts.values()))
    )
    assert loss.total().item() == pytest.approx(total, rel=1e-4)


def test_counts_need_no_forward() -> None:
    objective, batch = MaskedPrediction(tiny.hubert_model(), BOTH), unit_batch()
    assert objective.counts(batch) == {term.name: term.count for term in objective(batch).terms}


@pytest.mark.parametrize("rate", RATES)
def test_a_batch_is_the_window_of_its_rows(rate: float) -> None:
    model = tiny.hubert_model(unit_rate=rate)
    assert_rows_add_up(MaskedPrediction(model, BOTH), model, unit_batch(labels_per_frame=RATES[rate]))


def test_the_order_of_rows_is_irrelevant() -> None:
    objective, batch = MaskedPrediction(tiny.hubert_model(), BOTH), unit_batch()
    order = [2, 0, 1]
    changed: dict[str, Any] = {
        field.name: getattr(batch, field.name)[order]
        for field in fields(batch)
        if isinstance(getattr(batch, field.name), Tensor)
    }
    assert sums(objective(replace(batch, **changed))) == pytest.approx(sums(objective(batch)), rel=1e-5)


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("masked_weight", "masked_units"),
        ("unmasked_weight", "unmasked_units"),
        ("feature_penalty_weight", "feature_penalty"),
    ],
)
def test_a_weight_of_zero_removes_its_term_and_nothing_else(weight: str, term: str) -> None:
    model, batch = tiny.hubert_model(), unit_batch()
    full, less = MaskedPrediction(model, BOTH), MaskedPrediction(model, replace(BOTH, **{weight: 0.0}))
    everything, rest = sums(full(batch)), sums(less(batch))
    assert set(everything) - set(rest) == {term}
    assert set(less.counts(batch)) == set(rest)
    assert rest == pytest.approx({name: everything[name] for name in rest})


def test_the_published_weights_are_the_default() -> None:
    config = MaskedPrediction(tiny.hubert_model()).config
    assert (config.masked_weight, config.unmasked_weight, config.feature_penalty_weight) == (1.0, 0.0, 10.0)


def test_everything_learns() -> None:
    model = tiny.hubert_model()
    MaskedPrediction(model)(unit_batch()).total().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


def test_batches_of_random_numbers_are_learned_by_heart() -> None:
    """The units of two clips, which only their neighbours and places can tell."""
    model = tiny.hubert_model(dropout=0.0, encoder=tiny.without_dropout(tiny.hubert_config().encoder)).train()
    objective, batch = MaskedPrediction(model, MaskedPredictionConfig()), unit_batch((4000, 3200))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(100):
        loss = objective(batch)
        optimizer.zero_grad()
        loss.total().backward()
        optimizer.step()
    correct, count = loss.figures["masked_accuracy"]
    assert float(correct) / float(count) == 1.0


def test_a_model_without_the_head_is_refused() -> None:
    with pytest.raises(RecipeError, match="does not predict any"):
        MaskedPrediction(tiny.hubert_model(num_units=None))


def test_the_step_reaches_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = tiny.hubert_model(), list[int]()
    monkeypatch.setattr(model, "set_step", seen.append)
    MaskedPrediction(model).set_step(7)
    assert seen == [7]
