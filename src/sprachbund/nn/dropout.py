"""Dropout whose random numbers cost little on a processor."""

import torch
from torch.nn import functional as F

from sprachbund.shapes import Bool, Float, Tensor

_LEVELS = 2**16


def dropout(values: Float[Tensor, "..."], rate: float, training: bool) -> Float[Tensor, "..."]:
    """Zero values at random, and scale the others so that the mean stays (Srivastava et al. 2014)."""
    if not training or rate == 0.0:
        return values
    if values.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(values, rate)
    rate = rounded_rate(rate)
    return values.masked_fill(dropped_places(values.shape, rate), 0.0) * (1.0 / (1.0 - rate) if rate < 1.0 else 0.0)


def rounded_rate(rate: float) -> float:
    """The nearest rate that `dropped_places` can draw with: within 1 of 131072."""
    return round(rate * _LEVELS) / _LEVELS


def dropped_places(shape: torch.Size, rate: float) -> Bool[Tensor, "..."]:
    """True at places drawn with probability `rate`, from the global generator of the processor.

    Every draw of that generator serves four places. PyTorch's own way takes a draw for each, which costs a
    twentieth of a training step.
    """
    count = shape.numel()
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return (draws.view(torch.int16)[:count] < round(rate * _LEVELS) - _LEVELS // 2).view(shape)
