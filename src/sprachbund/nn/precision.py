"""Mixed precision: where products are short, and places where that would spoil the result."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from sprachbund.shapes import Float, Tensor

Precision = Literal["float32", "bf16"]


def mixed_precision(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """A block in which matrix products are made in `precision`; weights, sums of layers and losses stay float32."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def single_precision(device: torch.device) -> torch.autocast:
    """A block in which automatic mixed precision leaves float32 as it is."""
    return torch.autocast(device.type, enabled=False)


def compute_dtype(values: Tensor) -> torch.dtype:
    """The type in which automatic mixed precision multiplies `values`: their own where it is off."""
    kind = values.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else values.dtype


def sum_precision(states: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """States that many layers add to: float32 where mixed precision would let the sum be rounded at every layer."""
    return states.float() if torch.is_autocast_enabled(states.device.type) else states


def split_product(
    left: Float[Tensor, "batch row inner"], right: Float[Tensor, "*batch inner column"], dtype: torch.dtype
) -> Float[Tensor, "batch row column"]:
    """A product of float32 matrices in a shorter type, whose rounding touches the result alone.

    Each operand is a sum of two numbers of the shorter type; of their four products the one of both rests is left out.
    Worth it where `inner` is small and the result large.
    """
    if dtype == left.dtype:
        return left @ right
    with single_precision(left.device):
        left_main, right_main = left.to(dtype), right.to(dtype)
        with torch.no_grad():
            left_rest, right_rest = (left - left_main).to(dtype), (right - right_main).to(dtype)
        return torch.cat([left_main, left_rest, left_main], -1) @ torch.cat([right_main, right_main, right_rest], -2)
