"""Adam as the originals used it: decoupled decay, and epsilon added before the bias correction of the second moment."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer


class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015, section 2, last paragraph: the efficient order of computation) with decoupled decay.

    The step is ``rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)``, the decay ``p -= rate * decay * p``;
    so `epsilon` weighs more in early steps than in `torch.optim.AdamW`.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.98),
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, {"lr": rate, "betas": tuple(betas), "epsilon": epsilon, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            for parameter in parameters:
                if parameter not in self.state:
                    self.state[parameter].update(
                        step=0, mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter)
                    )
            # Parameters join at different steps when an encoder is frozen at first, so equal counts update together.
            by_count: dict[int, list[torch.Tensor]] = {}
            for parameter in parameters:
                by_count.setdefault(self.state[parameter]["step"], []).append(parameter)
            for count, members in by_count.items():
                self._update(group, members, count + 1)
        return loss

    def _update(self, group: dict[str, Any], parameters: list[torch.Tensor], count: int) -> None:
        beta1, beta2 = group["betas"]
        entries = [self.state[parameter] for parameter in parameters]
        gradients = [_own_part(parameter.grad) for parameter in parameters if parameter.grad is not None]
        means = [_own_part(entry["mean"]) for entry in entries]
        squares = [_own_part(entry["square"]) for entry in entries]
        parameters = [_own_part(parameter) for parameter in parameters]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        denominators = torch._foreach_sqrt(squares)
        torch._foreach_add_(denominators, group["epsilon"])
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        size = group["lr"] * math.sqrt(1 - beta2**count) / (1 - beta1**count)
        torch._foreach_addcdiv_(parameters, means, denominators, value=-size)
        for entry in entries:
            entry["step"] = count


def _own_part(tensor: torch.Tensor) -> torch.Tensor:
    """Every number is updated alone, so a process updates its part of a sharded tensor as it would the whole."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
