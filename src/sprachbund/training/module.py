"""One optimizer step, as Lightning runs it: sum the normalisers, add up the gradients, clip, update, log."""

import hashlib
from collections.abc import Mapping
from functools import reduce
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule

from sprachbund.data.batch import Batch
from sprachbund.data.mixture import Step
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.loss import Loss, add_counts
from sprachbund.objectives.recognition import Recognition
from sprachbund.shapes import Tensor
from sprachbund.training.figures import Figures
from sprachbund.training.optimizer import Adam
from sprachbund.training.recipe import OptimizationConfig
from sprachbund.training.schedules import learning_rate


def step_seed(run_seed: int, step: int) -> int:
    """The seed of everything drawn inside the model (dropout, layer drop) in one optimizer step."""
    digest = hashlib.blake2b(f"{run_seed}/{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class TrainingModule(LightningModule):
    """Trains an objective on whole steps, so that micro-batches add up exactly as one large batch would."""

    def __init__(self, objective: JointPretraining | Recognition, optimization: OptimizationConfig, seed: int) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.objective, self.optimization, self.seed = objective, optimization, seed
        self.figures = Figures()
        self.validation = Figures()
        # A model read from a folder is in evaluation mode, and Lightning leaves modes as they are.
        self.train()

    def configure_optimizers(self) -> Adam:
        """Adam over every parameter that can learn."""
        config = self.optimization
        return Adam(
            [parameter for parameter in self.objective.parameters() if parameter.requires_grad],
            rate=config.schedule.peak,
            betas=config.betas,
            epsilon=config.epsilon,
            weight_decay=config.weight_decay,
        )

    def training_step(self, step: Step, batch_idx: int) -> None:
        """One optimizer step."""
        torch.manual_seed(step_seed(self.seed, step.number))
        self.objective.set_step(step.number)
        rate = self._set_rate(step.number)
        counts = self._normalisers(step)
        for micro in step.micros:
            loss = self._loss(micro)
            self.manual_backward(loss.total(counts))
            self.figures.add(loss)
        norm = self._update()
        self.figures.set(gradient_norm=norm, learning_rate=rate)

    def validation_step(self, micro: Mapping[str, Batch], batch_idx: int) -> None:
        """Add the loss and figures of one held-out micro-batch."""
        self.validation.add(self._loss(micro))

    def _loss(self, micro: Mapping[str, Batch]) -> Loss:
        return cast(Loss, self.objective(self._batch(micro)))

    def _batch(self, micro: Mapping[str, Batch]) -> Any:
        """What the objective takes: all streams where it is joint, else the batch of the only one."""
        return micro if isinstance(self.objective, JointPretraining) else next(iter(micro.values()))

    def _set_rate(self, number: int) -> float:
        rate = learning_rate(self.optimization.schedule, number)
        for group in cast(Adam, self.optimizers()).param_groups:
            group["lr"] = rate
        return rate

    def _normalisers(self, step: Step) -> dict[str, float]:
        return reduce(add_counts, (self.objective.counts(self._batch(micro)) for micro in step.micros))

    def _update(self) -> Tensor:
        optimizer = cast(Adam, self.optimizers())
        limit = self.optimization.clip_norm or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self.objective.parameters(), limit)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm
