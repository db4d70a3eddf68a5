"""Learning rates as functions of the optimizer step, numerically those of the schedulers the originals trained with.

Each schedule maps the number of updates already made to the rate of the next one.
"""

import math
from dataclasses import dataclass
from typing import Literal

from sprachbund.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Which schedule, and its lengths in optimizer steps."""

    kind: Literal["tri_stage", "polynomial", "inverse_sqrt", "triangular", "constant"] = "tri_stage"
    peak: float = 6e-5  # the highest rate
    total_steps: int = 80000  # over which phase fractions and the polynomial decay are laid
    warmup: float = 0.1  # below 1 a fraction of total_steps, else a number of steps
    hold: float = 0.4  # tri_stage only
    decay: float = 0.5  # tri_stage only
    initial_scale: float = 0.01  # tri_stage starts at this times the peak
    final_scale: float = 0.05  # tri_stage ends at this times the peak
    power: float = 1.0  # polynomial only
    end: float = 0.0  # polynomial: the last rate; triangular: the lowest rate
    period: int = 600  # triangular: steps of one rise and fall
    shrink: float = 0.5  # triangular: factor between two periods

    def __post_init__(self) -> None:
        if self.total_steps < 1 or self.period < 1:
            raise ValueError("a schedule needs at least one step")

    def steps(self, part: float) -> int:
        """Steps of a phase given as a fraction of the whole or as a number of steps."""
        return int(self.total_steps * part) if part < 1 else int(part)


def learning_rate(config: ScheduleConfig, num_updates: int) -> float:
    """The rate of the step that follows `num_updates` updates.

    Raises:
        RecipeError: the tri_stage phases are longer than the run.
    """
    rule = {
        "tri_stage": _tri_stage,
        "polynomial": _polynomial,
        "inverse_sqrt": _inverse_sqrt,
        "triangular": _triangular,
        "constant": _constant,
    }[config.kind]
    return rule(config, num_updates)


def _tri_stage(config: ScheduleConfig, num_updates: int) -> float:
    """Linear warm-up, a plateau, then an exponential decay (Park et al., 2019, section 3.2)."""
    warmup, hold, decay = config.steps(config.warmup), config.steps(config.hold), config.steps(config.decay)
    if warmup + hold + decay > config.total_steps:
        raise RecipeError(
            "warm-up, hold and decay together are longer than the run",
            where="schedule",
            given=f"{warmup} + {hold} + {decay} > {config.total_steps}",
            mend="Shorten a phase or raise total_steps.",
        )
    initial, final = config.initial_scale * config.peak, config.final_scale * config.peak
    if num_updates < warmup:
        return initial + (config.peak - initial) * num_updates / warmup
    if num_updates < warmup + hold:
        return config.peak
    done = num_updates - warmup - hold
    if done > decay or decay == 0:
        return final
    return config.peak * math.exp(math.log(config.final_scale) * done / decay)


def _polynomial(config: ScheduleConfig, num_updates: int) -> float:
    warmup = config.steps(config.warmup)
    if warmup > 0 and num_updates <= warmup:
        return config.peak * num_updates / warmup
    if num_updates >= config.total_steps:
        return config.end
    left = 1 - (num_updates - warmup) / (config.total_steps - warmup)
    return float((config.peak - config.end) * left**config.power + config.end)


def _inverse_sqrt(config: ScheduleConfig, num_updates: int) -> float:
    warmup = config.steps(config.warmup)
    if num_updates < warmup:
        return config.peak * num_updates / warmup
    return config.peak * math.sqrt(max(warmup, 1)) / math.sqrt(max(num_updates, 1))


def _triangular(config: ScheduleConfig, num_updates: int) -> float:
    half = config.period / 2
    cycle = math.floor(num_updates / config.period)
    highest = config.peak * config.shrink**cycle
    position = abs(num_updates / half - 2 * cycle - 1)
    return config.end + (highest - config.end) * max(0.0, 1 - position)


def _constant(config: ScheduleConfig, num_updates: int) -> float:
    warmup = config.steps(config.warmup)
    return config.peak * min(1.0, num_updates / warmup) if warmup else config.peak
