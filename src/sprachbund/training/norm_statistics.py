"""The running statistics of batch norms, when the micro-batches of a step are spread over processes."""

import torch
from torch import distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sprachbund.shapes import Tensor
from sprachbund.training.distributed import process_count


class NormStatistics:
    """Makes running statistics what one process would have, that saw all micro-batches of a step in their order.

    A running value is ``(1 - m) * value + m * batch`` after each micro-batch. That is linear: from zero, each
    micro-batch leaves its own part, which later ones only scale, so the parts of all processes add up.

    Args:
        module: whose batch norms; with one process nothing is done.
        num_micros: micro-batches of the step in all processes.
    """

    def __init__(self, module: nn.Module, num_micros: int) -> None:
        found = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
        self.norms = found if process_count() > 1 else []
        self.num_micros = num_micros
        self.before = [[part.clone() for part in _values(norm)] for norm in self.norms]
        self.calls = [int(_seen(norm)) for norm in self.norms]
        self.sums = [[torch.zeros_like(part) for part in _values(norm)] for norm in self.norms]

    def begin(self) -> None:
        """Before the micro-batch of this process."""
        for norm, calls in zip(self.norms, self.calls, strict=True):
            _seen(norm).fill_(calls)
            for part in _values(norm):
                part.zero_()

    def end(self, place: int) -> None:
        """After it; `place` is its place in the step."""
        for norm, calls, sums in zip(self.norms, self.calls, self.sums, strict=True):
            kept = _kept(norm, calls) ** (self.num_micros - 1 - place)
            for total, part in zip(sums, _values(norm), strict=True):
                total.add_(part, alpha=kept)

    def merge(self) -> None:
        """After the last micro-batch: the same statistics in every process."""
        if not self.norms:
            return
        flat = torch.cat([part.flatten() for sums in self.sums for part in sums])
        distributed.all_reduce(flat)
        parts = iter(torch.split(flat, [part.numel() for sums in self.sums for part in sums]))
        for norm, calls, before in zip(self.norms, self.calls, self.before, strict=True):
            kept = _kept(norm, calls) ** self.num_micros
            for part, old in zip(_values(norm), before, strict=True):
                part.copy_(old * kept + next(parts).view_as(part))
            # Every micro-batch of a step holds the same streams, so each has called the norm as often as this one.
            _seen(norm).copy_(calls + (_seen(norm) - calls) * self.num_micros)


def _values(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


def _seen(norm: _BatchNorm) -> Tensor:
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked


def _kept(norm: _BatchNorm, calls: int) -> float:
    """The share of a running value that one micro-batch leaves."""
    assert norm.momentum is not None
    return float((1 - norm.momentum) ** (int(_seen(norm)) - calls))
