"""The law of micro-batches, which every objective keeps."""

from typing import Any

import torch
from torch import nn

from objectives.batches import rows_of
from sprachbund.objectives.loss import add_counts


def assert_rows_add_up(objective: Any, learner: nn.Module, batch: Any) -> None:
    """Padded equals alone, and accumulated equals one batch: in the loss and in every gradient.

    Gradients to a ten-thousandth of each parameter's own, or a millionth of the largest of all.
    """
    whole = objective(batch).total()
    whole.backward()
    expected = {name: value.grad.clone() for name, value in learner.named_parameters() if value.grad is not None}
    learner.zero_grad()
    rows = rows_of(batch)
    window: dict[str, float] = {}
    for row in rows:
        window = add_counts(window, objective.counts(row))
    assert window == objective.counts(batch)
    parts = [objective(row).total(window) for row in rows]
    torch.testing.assert_close(sum(parts), whole, rtol=1e-5, atol=1e-5)
    sum(parts).backward()
    found = {name: value.grad for name, value in learner.named_parameters() if value.grad is not None}
    assert found.keys() == expected.keys()
    largest = max(value.abs().max().item() for value in expected.values())
    for name, value in expected.items():
        bound = 1e-4 * value.abs().max().item() + 1e-6 * largest
        assert (found[name] - value).abs().max() <= bound, name
