"""Linear maps whose weights are laid out for a few rows at a time, as incremental decoding has them.

A matrix of weights that multiplies a handful of rows is read at half the speed of memory or less where it lies as
training left it. oneDNN, which comes with torch on processors, has a layout that is read at full speed. Torch's
compiler uses the same operators.
"""

import copy
import platform
from typing import TypeVar

import torch
from torch import nn

from sprachbund.nn.precision import compute_dtype
from sprachbund.shapes import Float, Tensor

Module = TypeVar("Module", bound=nn.Module)
FEW_ROWS = 3
"""Up to so many rows the plain product in float32 is as fast."""
_BATCH = 80  # rows that the layout is made for; it serves any number


class PackedLinear(nn.Module):
    """A linear map that packs its weight when it first pays, in the precision of that moment. It gives no gradients."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self._packed: tuple[Tensor, Tensor | None] | None = None

    def forward(self, states: Float[Tensor, "*row input"]) -> Float[Tensor, "*row output"]:
        """The same as the plain map, but for rounding."""
        dtype = compute_dtype(states)
        if dtype == torch.float32 and states[..., 0].numel() <= FEW_ROWS:
            plain: Tensor = self.linear(states)
            return plain
        if self._packed is None or self._packed[0].dtype != dtype:
            bias = self.linear.bias
            weight = torch.ops.mkldnn._reorder_linear_weight(self.linear.weight.detach().to(dtype), _BATCH)
            self._packed = (weight, None if bias is None else bias.detach().to(dtype))
        result: Tensor = torch.ops.mkldnn._linear_pointwise(states.to(dtype), *self._packed, "none", [], "")
        return result


def packed(module: Module) -> Module:
    """A module with the same parameters whose linear maps are packed; the given one stays as it is.

    It is the given module itself where packing does not serve: on other devices and processors.
    """
    return _replaced(module) if _can_pack(module) else module


def _can_pack(module: nn.Module) -> bool:
    if platform.machine() not in ("x86_64", "AMD64") or not torch._C._has_mkldnn:
        return False
    weights = list(module.parameters())
    kind = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32
    if kind == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    return kind in (torch.float32, torch.bfloat16) and all(
        weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights
    )


def _replaced(module: Module) -> Module:
    changed = copy.copy(module)
    changed._modules = {
        name: PackedLinear(child) if isinstance(child, nn.Linear) else None if child is None else _replaced(child)
        for name, child in module._modules.items()
    }
    return changed
