import pytest
import torch

from sprachbund.objectives.loss import Loss, LossTerm, add_counts, merge_losses


def loss(first: float, second: float, counts: tuple[float, float]) -> Loss:
    return Loss(
        (
            LossTerm("units", 2.0, torch.tensor(first), counts[0]),
            LossTerm("stop", 0.5, torch.tensor(second), counts[1]),
        ),
        {"accuracy": (torch.tensor(1.0), 4.0)},
    )


def test_the_total_is_a_weighted_sum_of_means():
    assert loss(6.0, 8.0, (3.0, 4.0)).total().item() == pytest.approx(2 * 2 + 0.5 * 2)


def test_totals_of_a_window_add_up():
    micros = [loss(6.0, 8.0, (3.0, 4.0)), loss(1.0, 2.0, (2.0, 1.0))]
    window: dict[str, float] = {}
    for micro in micros:
        window = add_counts(window, {term.name: term.count for term in micro.terms})
    whole = loss(7.0, 10.0, (5.0, 5.0)).total()
    torch.testing.assert_close(sum(micro.total(window) for micro in micros), whole)


def test_a_term_that_nothing_counts_for_is_zero():
    assert loss(0.0, 8.0, (0.0, 4.0)).total().item() == pytest.approx(1.0)


def test_streams_keep_their_names_apart():
    merged = merge_losses({"a": loss(6.0, 8.0, (3.0, 4.0)), "b": loss(6.0, 8.0, (3.0, 4.0))}, {"a": 1.0, "b": 10.0})
    assert [term.name for term in merged.terms] == ["a/units", "a/stop", "b/units", "b/stop"]
    assert merged.total().item() == pytest.approx(5 + 50)
    assert set(merged.figures) == {"a/accuracy", "b/accuracy"}
