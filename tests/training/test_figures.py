import pytest
import torch

from sprachbund.objectives.loss import Loss, LossTerm
from sprachbund.training import figures as module
from sprachbund.training.figures import Figures, flat


def loss(total: float, count: float, correct: float, tokens: float) -> Loss:
    terms = (LossTerm("unit", 2.0, torch.tensor(total), count), LossTerm("stop", 0.5, torch.tensor(4.0), 2.0))
    return Loss(terms, {"accuracy": (torch.tensor(correct), tokens)})


def test_means_are_over_all_micro_batches_not_means_of_means() -> None:
    figures = Figures()
    figures.add(loss(10.0, 10.0, 1.0, 1.0))
    figures.add(loss(90.0, 30.0, 0.0, 3.0))
    read = figures.read()
    assert read == {"loss": 2.0 * 2.5 + 0.5 * 2.0, "loss/unit": 2.5, "loss/stop": 2.0, "accuracy": 0.25}


def test_reading_begins_anew() -> None:
    figures = Figures()
    figures.add(loss(10.0, 10.0, 1.0, 1.0))
    figures.set(rate=3)
    first = figures.read()
    assert first["rate"] == 3.0
    assert figures.read() == {}
    figures.add(loss(10.0, 10.0, 1.0, 1.0))
    assert figures.read() == {name: value for name, value in first.items() if name != "rate"}


def test_a_value_that_is_set_replaces_the_one_before() -> None:
    figures = Figures()
    figures.set(gradient_norm=torch.tensor(2.0), rate=1)
    figures.set(gradient_norm=5.0)
    assert figures.read() == {"gradient_norm": 5.0, "rate": 1.0}


def test_what_nothing_counts_for_is_left_out() -> None:
    figures = Figures()
    figures.add(loss(0.0, 0.0, 0.0, 0.0))
    assert figures.read() == {"loss": 1.0, "loss/stop": 2.0}


def test_gradients_are_not_kept() -> None:
    figures = Figures()
    weight = torch.ones((), requires_grad=True)
    figures.add(Loss((LossTerm("a", 1.0, weight * 3, 1.0),)))
    assert figures.read() == {"loss": 3.0, "loss/a": 3.0}


@pytest.mark.parametrize(("value", "expected"), [(1.23456789, 1.23457), (123456789.0, 123457000.0), (0.0, 0.0)])
def test_figures_of_the_log_have_six_digits(value: float, expected: float) -> None:
    assert flat({"a": value}) == {"a": expected}
    assert flat({"a": 1.23456789}, digits=2) == {"a": 1.2}


def test_figures_go_on_from_their_state() -> None:
    """As those of a run that is resumed between two lines of its log."""
    whole, first = Figures(), Figures()
    for figures in (whole, first):
        figures.add(loss(4.0, 2.0, 3.0, 1.0))
        figures.set(learning_rate=0.1)
    second = Figures(first.state())
    for figures in (whole, second):
        figures.add(loss(1.0, 3.0, 5.0, 1.0))
    assert second.read() == whole.read()
    assert Figures(None).read() == {}


def test_one_process_collects_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = Figures()
    figures.add(loss(4.0, 2.0, 3.0, 1.0))
    before = Figures(figures.state())
    figures.collect()
    assert figures.state() == before.state()
    # Of two processes the first takes all, and the other is left with nothing to count twice.
    states = [figures.state(), before.state()]
    monkeypatch.setattr(module, "gather", lambda own: states)
    figures.collect()
    assert figures.state()["counts"] == {name: 2 * count for name, count in before.state()["counts"].items()}
    assert figures.read() == pytest.approx(before.read())
    monkeypatch.setattr(module, "process_rank", lambda: 1)
    figures.collect()
    assert figures.read() == {}
