"""Sharding in a group of one process, which has every mechanism but a second part; two are in `test_distributed`."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import distributed, nn
from torch.distributed.tensor import DTensor

import tiny
from models.language_model.sizes import build as build_lm
from objectives.batches import quiet_model, transcribed_batch
from sprachbund.errors import RecipeError
from sprachbund.objectives.recognition import Recognition
from sprachbund.training.optimizer import Adam
from sprachbund.training.sharding import (
    check_shardable,
    clip_gradients,
    exchange_scalar_gradients,
    is_sharded,
    shard,
    whole,
    whole_tensors,
)

pytestmark = pytest.mark.filterwarnings("ignore:.*returned a view tensor")


@pytest.fixture
def group() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


class Total(nn.Module):
    def __init__(self, objective: Recognition) -> None:
        super().__init__()
        self.objective = objective

    def forward(self) -> torch.Tensor:
        return self.objective(transcribed_batch()).total()


def pair() -> tuple[Total, Total]:
    plain = Total(Recognition(quiet_model()))
    sharded = copy.deepcopy(plain)
    shard(sharded, torch.device("cpu"))
    return plain, sharded


def test_everything_but_scalars_is_sharded(group: None) -> None:
    plain, sharded = pair()
    assert (is_sharded(plain), is_sharded(sharded)) == (False, True)
    for parameter in sharded.parameters():
        assert isinstance(parameter, DTensor) == (parameter.dim() > 0)
    assert any(parameter.dim() == 0 for parameter in sharded.parameters())
    gathered, original = whole_tensors(sharded.state_dict()), plain.state_dict()
    assert gathered.keys() == original.keys()
    assert all(torch.equal(gathered[name], original[name]) for name in original)
    emptied = whole_tensors(sharded.state_dict(), keep=False)
    assert sum(tensor.numel() for tensor in emptied.values()) < sum(tensor.numel() for tensor in gathered.values()) / 9
    assert whole(torch.ones(2)).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("limit", [0.1, float("inf")])
def test_steps_are_those_of_the_whole_model(group: None, limit: float) -> None:
    models = pair()
    norms = []
    for model in models:
        optimizer = Adam(model.parameters(), rate=1e-2, weight_decay=0.1)
        for _ in range(2):
            model().backward()
            exchange_scalar_gradients(model)
            norms.append(float(clip_gradients(model, limit)))
            optimizer.step()
            optimizer.zero_grad()
    assert norms[:2] == pytest.approx(norms[2:], rel=1e-5)
    assert norms[0] > 0.1
    plain, gathered = models[0].state_dict(), whole_tensors(models[1].state_dict())
    assert max(float((plain[name] - gathered[name]).abs().max()) for name in plain) < 2e-5


def test_clipping_is_that_of_torch() -> None:
    plain = Total(Recognition(quiet_model()))
    other = copy.deepcopy(plain)
    for model in (plain, other):
        model().backward()
    expected = torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.3)
    assert torch.equal(clip_gradients(other, 0.3), expected)
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        assert (one.grad is None and two.grad is None) or torch.equal(one.grad, two.grad)  # type: ignore[arg-type]


def test_models_that_drop_layers_are_refused() -> None:
    check_shardable(quiet_model())
    config = tiny.tiny_config(20)
    for stack in ("encoder", "decoder"):
        dropping = copy.deepcopy(config)
        object.__setattr__(getattr(dropping, stack), "layerdrop", 0.05)
        with pytest.raises(RecipeError, match=r"layerdrop: 0\.05"):
            check_shardable(tiny.SpeechT5(dropping))
    check_shardable(build_lm())
    with pytest.raises(RecipeError, match=r"layerdrop: 0\.05"):
        check_shardable(build_lm(layerdrop=0.05))
