"""What recipes of every task choose alike: a size, an optimizer, the length of the run."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from sprachbund.config import Few, NotNegative, Positive, Size
from sprachbund.training.schedules import ScheduleConfig, learning_rate

Memory = Annotated[float, Field(ge=0, lt=1)]  # of a running mean: the share of the past


Family = Literal["speecht5", "hubert", "speechlm", "speechut"]


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A family of models, a published or own size, and the fields of its configuration that differ."""

    kind: Family | None = None  # null takes that of `init`, or the usual one of the task
    size: Literal["tiny", "small", "base", "large"] = "base"
    changes: dict[str, Any] = field(default_factory=dict)


def refuse_other_kinds(choice: ModelChoice, *kinds: Family) -> None:
    """Refuse a family that the task cannot train.

    Raises:
        ValueError: one is named, and it is none of `kinds`.
    """
    if choice.kind is not None and choice.kind not in kinds:
        raise ValueError(f"model.kind is {choice.kind}, and this task trains {' or '.join(kinds)}")


@dataclass(frozen=True, kw_only=True)
class OptimizationConfig:
    """Adam, its schedule and the clipping of gradients."""

    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    betas: tuple[Memory, Memory] = (0.9, 0.98)
    epsilon: Positive = 1e-6
    weight_decay: NotNegative = 0.01
    clip_norm: NotNegative = 5.0  # 0 leaves gradients as they are

    def __post_init__(self) -> None:
        # Phases that are longer than the schedule are told now, not when data and model stand ready.
        learning_rate(self.schedule, 0)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """How long, how often, and with what."""

    seed: int = 1
    steps: int = 80000
    accumulate: Size = 1  # micro-batches of an optimizer step, of all processes together
    log_every: int = 20
    validate_every: int = 1000
    checkpoint_every: int = 1000
    keep_checkpoints: int = 2
    valid_clips: int = 200  # at most this many held-out clips and lines are used during training
    loader_workers: Few = 1
    threads: Few = 0  # of tensor arithmetic; 0 takes what the machine offers
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"  # several processes hold copies (ddp, auto) or parts (fsdp)

    def __post_init__(self) -> None:
        if min(self.steps, self.accumulate, self.log_every, self.validate_every, self.checkpoint_every) < 1:
            raise ValueError("steps, accumulate and the *_every values are at least 1")
        if self.keep_checkpoints < 1:
            raise ValueError("keep_checkpoints is at least 1: without a checkpoint no run can be resumed")
        if min(self.valid_clips, self.loader_workers, self.threads) < 0:
            raise ValueError("valid_clips, loader_workers and threads are not negative")
