from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sprachbund.training import norm_statistics
from sprachbund.training.norm_statistics import NormStatistics


class Group:
    """Stands for processes that are asked one after another: what each would send is noted, then added."""

    def __init__(self) -> None:
        self.sent: list[torch.Tensor] = []
        self.total: torch.Tensor | None = None

    def all_reduce(self, flat: torch.Tensor) -> None:
        self.sent.append(flat.clone())
        if self.total is not None:
            flat.copy_(self.total)


def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3, momentum=0.3))


def values(part: nn.Module) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in part.state_dict().items() if "running" in name or "num" in name}


def share(model: nn.Module, batches: list[torch.Tensor], rank: int, count: int) -> None:
    statistics = NormStatistics(model, len(batches))
    for place in range(rank, len(batches), count):
        statistics.begin()
        model(batches[place])
        statistics.end(place)
    statistics.merge()


@given(count=st.integers(2, 4), rounds=st.integers(1, 3), steps=st.integers(1, 2))
@settings(deadline=None, max_examples=20)
def test_running_statistics_are_those_of_one_process(count: int, rounds: int, steps: int) -> None:
    alone = module()
    ranks = [module() for _ in range(count)]
    generator = torch.Generator().manual_seed(rounds)
    with pytest.MonkeyPatch.context() as patch:
        for _ in range(steps):
            batches = [torch.randn(5, 3, generator=generator) for _ in range(count * rounds)]
            for batch in batches:
                alone(batch)
            patch.setattr(norm_statistics, "process_count", lambda: count)
            group = Group()
            patch.setattr(norm_statistics.distributed, "all_reduce", group.all_reduce)
            before = [values(model) for model in ranks]
            for rank, model in enumerate(ranks):
                share(model, batches, rank, count)
            group.total = torch.stack(group.sent).sum(dim=0)
            for rank, model in enumerate(ranks):
                model.load_state_dict({**model.state_dict(), **before[rank]})
                share(model, batches, rank, count)
    expected = values(alone)
    for model in ranks:
        for name, value in values(model).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_one_process_alone_is_left_as_it_is() -> None:
    alone, other = module(), module()
    batch = torch.randn(5, 3)
    alone(batch)
    share(other, [batch], 0, 1)
    assert all(torch.equal(value, values(alone)[name]) for name, value in values(other).items())


def test_norms_that_a_step_does_not_ask_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.ModuleList([module()])
    before = values(model)
    monkeypatch.setattr(norm_statistics, "process_count", lambda: 2)
    monkeypatch.setattr(norm_statistics.distributed, "all_reduce", lambda flat: None)
    statistics = NormStatistics(model, 2)
    statistics.begin()
    statistics.end(0)
    statistics.merge()
    assert all(torch.equal(value, before[name]) for name, value in values(model).items())
