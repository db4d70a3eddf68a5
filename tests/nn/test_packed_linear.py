import copy
import platform

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sprachbund.nn import packed_linear
from sprachbund.nn.packed_linear import FEW_ROWS, PackedLinear, packed
from sprachbund.nn.precision import mixed_precision

CPU = torch.device("cpu")
only_where_it_packs = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="weights are packed on x86 processors only"
)


class Small(nn.Module):
    """Linear maps at two depths, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.outer = nn.Linear(24, 40, bias=False)
        self.inner = nn.Sequential(nn.Linear(40, 40), nn.GELU(), nn.Linear(40, 24))
        self.scale = nn.Parameter(torch.ones(24))
        self.nothing = None

    def forward(self, states):
        return self.scale * self.inner(self.outer(states))


def small():
    torch.manual_seed(0)
    return Small().eval()


@pytest.mark.parametrize("shape", [(1, 24), (FEW_ROWS, 24), (FEW_ROWS + 1, 24), (2, 3, 24), (90, 1, 24), (0, 24)])
@only_where_it_packs
def test_a_packed_module_gives_the_same(shape):
    module, states = small(), torch.randn(shape)
    with torch.no_grad():
        torch.testing.assert_close(packed(module)(states), module(states), rtol=1e-5, atol=1e-6)


@only_where_it_packs
def test_the_layout_serves_any_number_of_rows():
    torch.manual_seed(0)
    linear = nn.Linear(64, 48)
    map_of = PackedLinear(linear)
    with torch.no_grad():
        for rows in (80, 1, 5, 300, 4):
            states = torch.randn(rows, 64)
            torch.testing.assert_close(map_of(states), linear(states), rtol=1e-5, atol=1e-5)


@only_where_it_packs
def test_the_precision_is_that_of_the_block():
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16")
    linear, states = nn.Linear(24, 40), torch.randn(7, 24)
    with torch.no_grad():
        map_of = PackedLinear(linear)
        with mixed_precision(CPU, "bf16"):
            short, expected = map_of(states), linear(states)
        assert short.dtype == expected.dtype == torch.bfloat16
        torch.testing.assert_close(short.float(), expected.float(), rtol=0.02, atol=0.02)
        # The same map outside: packed anew.
        torch.testing.assert_close(map_of(states), F.linear(states, linear.weight, linear.bias), rtol=1e-5, atol=1e-6)


@only_where_it_packs
def test_the_given_module_stays_as_it_is():
    module = small()
    before = copy.deepcopy(module.state_dict())
    changed = packed(module)
    assert changed is not module
    assert isinstance(changed.inner[0], PackedLinear)
    assert changed.scale is module.scale
    assert type(module.outer) is nn.Linear and type(module.inner[2]) is nn.Linear
    with torch.no_grad():
        changed(torch.randn(9, 24))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_other_processors_and_types_keep_the_module(monkeypatch):
    double = small().double()
    assert packed(double) is double
    short = small().bfloat16()
    assert packed(short) is short
    monkeypatch.setattr(packed_linear.platform, "machine", lambda: "riscv64")
    module = small()
    assert packed(module) is module
