"""Several processes that train one model: who they are, what they add up, and how the model lies across them.

Every process holds the same plan of the data and takes its share of the micro-batches of each step (`data.mixture`).
Normalisers are added up before the losses are scaled, and gradients are summed, so that the law of one process holds:
a step of n processes is the step that one process makes of the same micro-batches, up to the order of additions.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy, Strategy
from torch import distributed

from sprachbund.errors import RecipeError
from sprachbund.training.sharding import ShardedStrategy


@dataclass(frozen=True)
class Processes:
    """The processes of a run as their launcher describes them; `rank` is this one's number, from 0."""

    rank: int = 0
    count: int = 1
    per_machine: int = 1
    launcher: Literal["none", "torchrun", "slurm"] = "none"

    @property
    def is_first(self) -> bool:
        """Whether this process writes the folder of the run and talks to the user."""
        return self.rank == 0

    @property
    def machines(self) -> int:
        """Machines that the run is spread over."""
        return self.count // self.per_machine

    def environment(self) -> ClusterEnvironment:
        """The launcher as Lightning knows it."""
        if self.launcher == "torchrun":
            return TorchElasticEnvironment()
        # What to do when a job is preempted is written in its script, not guessed here.
        return SLURMEnvironment(auto_requeue=False) if self.launcher == "slurm" else LightningEnvironment()


def launched_processes(variables: Mapping[str, str] | None = None) -> Processes:
    """The processes that torchrun or srun started, this one among them; else this one alone.

    Args:
        variables: of the environment; None for this process's.

    Raises:
        RecipeError: machines hold different numbers of processes.
    """
    given = os.environ if variables is None else variables
    if "TORCHELASTIC_RUN_ID" in given:
        count, per_machine = int(given["WORLD_SIZE"]), int(given["LOCAL_WORLD_SIZE"])
        processes = Processes(int(given["RANK"]), count, per_machine, "torchrun")
    elif int(given.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        count = int(given["SLURM_STEP_NUM_TASKS"])
        per_machine = -(-count // int(given.get("SLURM_STEP_NUM_NODES", "1")))
        processes = Processes(int(given["SLURM_PROCID"]), count, per_machine, "slurm")
    else:
        return Processes()
    if processes.count % processes.per_machine:
        raise RecipeError(
            "the machines of a run take equally many processes",
            given=f"{processes.count} processes, {processes.per_machine} on this machine",
            mend="Start as many on each machine.",
        )
    return processes


def check_share(accumulate: int, processes: Processes) -> None:
    """Refuse a step that cannot be shared out equally.

    Raises:
        RecipeError: the micro-batches of a step are not a multiple of the processes.
    """
    if accumulate % processes.count:
        raise RecipeError(
            "the processes cannot share the micro-batches of a step equally",
            where="run.accumulate",
            given=f"{accumulate} for {processes.count} processes",
            mend="It counts those of all processes together: give a multiple of their number.",
        )


def strategy_of(name: str, processes: Processes) -> Strategy | str:
    """How Lightning lays the model over the processes; one process alone needs nothing, whatever the name.

    Args:
        name: as in recipes: auto, ddp or fsdp.
        processes: of the run.
    """
    if processes.count == 1:
        return "auto"
    if name == "fsdp":
        return ShardedStrategy()
    # Layers may be dropped, frozen or not asked by a stream, and what has no gradient anywhere must keep none. Running
    # statistics are merged by `NormStatistics`.
    return DDPStrategy(find_unused_parameters=True, broadcast_buffers=False)


def process_count() -> int:
    """Processes of the group that is at work; 1 without one."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def process_rank() -> int:
    """The number of this process in the group that is at work; 0 without one."""
    return distributed.get_rank() if process_count() > 1 else 0


def gather(value: Any) -> list[Any]:
    """The plain values that all processes give, in the order of their ranks."""
    if process_count() == 1:
        return [value]
    values: list[Any] = [None] * process_count()
    distributed.all_gather_object(values, value)
    return values


def sum_over_processes(values: Mapping[str, float]) -> dict[str, float]:
    """Numbers added up by name; the same bits in every process."""
    total: dict[str, float] = {}
    for part in gather(dict(values)):
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total


def largest_over_processes(number: int, device: torch.device | str) -> int:
    """The largest of the numbers that the processes give."""
    if process_count() == 1:
        return number
    tensor = torch.tensor(number, device=device)
    distributed.all_reduce(tensor, distributed.ReduceOp.MAX)
    return int(tensor)
