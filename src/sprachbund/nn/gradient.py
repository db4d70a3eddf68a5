"""Scaling of gradients between parts of a network."""

from typing import Any, cast

import torch

from sprachbund.shapes import Float, Tensor


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, factor: float) -> Tensor:
        context.factor = factor
        return values.view_as(values)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> tuple[Tensor, None]:
        return cast(Tensor, gradients[0]) * context.factor, None


def scale_gradient(values: Float[Tensor, "..."], factor: float) -> Float[Tensor, "..."]:
    """The values unchanged; the gradient that flows back through them is multiplied by `factor`."""
    return values if factor == 1.0 else cast(Tensor, _Scale.apply(values, factor))  # type: ignore[no-untyped-call]
