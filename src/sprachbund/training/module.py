"""One optimizer step, as Lightning runs it: sum the normalisers, add up the gradients, clip, update, log."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import DDPStrategy

from sprachbund.data.batches.batch import Batch
from sprachbund.data.mixture import Step
from sprachbund.nn.precision import Precision, mixed_precision
from sprachbund.objectives.joint_pretraining import JointPretraining
from sprachbund.objectives.loss import Loss, add_counts
from sprachbund.objectives.unit_pretraining import UnitPretraining
from sprachbund.shapes import Tensor
from sprachbund.training.assembly.parts import Objective
from sprachbund.training.choices import OptimizationConfig
from sprachbund.training.data import Filler
from sprachbund.training.distributed import sum_over_processes
from sprachbund.training.figures import Figures
from sprachbund.training.interruption import Interruption
from sprachbund.training.norm_statistics import NormStatistics
from sprachbund.training.optimizer import Adam
from sprachbund.training.padding import padding
from sprachbund.training.schedules import learning_rate
from sprachbund.training.sharding import clip_gradients, exchange_scalar_gradients, whole_tensors


def step_seed(run_seed: int, step: int, place: int = 0) -> int:
    """The seed of everything drawn inside the model (dropout, layer drop) in one micro-batch of an optimizer step."""
    text = f"{run_seed}/{step}/{place}" if place else f"{run_seed}/{step}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


class TrainingModule(LightningModule):
    """Trains an objective on whole steps, so that micro-batches add up exactly as one large batch would."""

    def __init__(
        self,
        objective: Objective,
        optimization: OptimizationConfig,
        seed: int,
        precision: Precision = "float32",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.objective, self.optimization, self.seed = objective, optimization, seed
        self.precision: Precision = precision
        self.figures = Figures()
        self.validation = Figures()
        self.interruption = Interruption()
        self.weights: dict[str, Tensor] = {}  # of the model, when the run is over
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
        self.objective.set_step(step.number)
        rate = self._set_rate(step.number)
        counts = self._normalisers(step)
        processes = step.share[1]
        statistics = NormStatistics(self.objective, processes * len(step.micros))
        for place, micro in zip(step.places, step.micros, strict=True):
            torch.manual_seed(step_seed(self.seed, step.number, place))
            statistics.begin()
            with self._gradient_exchange(is_due=place == step.places[-1]):
                total, loss = self(micro, counts)
                # Gradients are averaged over processes, and the law wants their sum.
                self.manual_backward(total * processes)
            statistics.end(place)
            self.figures.add(loss)
            self.figures.add_mean("padding", *padding(micro))
        statistics.merge()
        norm = self._update()
        self.figures.set(gradient_norm=norm, learning_rate=rate)

    def forward(self, micro: Mapping[str, Batch], counts: Mapping[str, float] | None = None) -> tuple[Tensor, Loss]:
        """The number to differentiate, given the counts of the whole step, and the loss with its terms."""
        # Not around the backward pass, whose products take the precision that those forward had.
        with mixed_precision(self.device, self.precision):
            loss: Loss = self.objective(self._batch(micro))
        return loss.total(counts), loss

    def validation_step(self, micro: Mapping[str, Batch], batch_idx: int) -> None:
        """Add the loss and figures of one held-out micro-batch."""
        if self.interruption.agree(self.device):
            return
        loss = self(micro)[1]
        if not isinstance(micro, Filler):
            self.validation.add(loss)

    def teardown(self, stage: str) -> None:
        """Keep the whole weights of a model that lies in parts, in the first process."""
        self.weights = whole_tensors(self.objective.model.state_dict(), keep=self.global_rank == 0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the figures that are not yet in the log."""
        self.figures.collect()
        checkpoint["figures"] = self.figures.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with them in the first process, for which they were collected."""
        if self.global_rank == 0:
            self.figures = Figures(checkpoint.get("figures"))

    def _gradient_exchange(self, *, is_due: bool) -> AbstractContextManager[None]:
        """Copies of the model exchange gradients once a step. A sharded model does at once: it keeps only its part."""
        strategy = self.trainer.strategy
        if isinstance(strategy, DDPStrategy) and not is_due:
            return strategy.block_backward_sync()
        return nullcontext()

    def _batch(self, micro: Mapping[str, Batch]) -> Any:
        """What the objective takes: all streams where it is joint, else the batch of the only one."""
        return micro if isinstance(self.objective, JointPretraining | UnitPretraining) else next(iter(micro.values()))

    def _set_rate(self, number: int) -> float:
        rate = learning_rate(self.optimization.schedule, number)
        for group in cast(Adam, self.optimizers()).param_groups:
            group["lr"] = rate
        return rate

    def _normalisers(self, step: Step) -> dict[str, float]:
        """Of the whole step, in all processes."""
        counts = reduce(add_counts, (self.objective.counts(self._batch(micro)) for micro in step.micros))
        return sum_over_processes(counts)

    def _update(self) -> Tensor:
        optimizer = cast(Adam, self.optimizers())
        exchange_scalar_gradients(self.objective)
        norm = clip_gradients(self.objective, self.optimization.clip_norm or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return norm
