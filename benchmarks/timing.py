"""Interleaved runs: every contestant once a round, so that what else the machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.seconds)

    def summary(self) -> dict[str, float]:
        """What is written down."""
        return {"min": min(self.seconds), "median": self.median, "max": max(self.seconds)}


@dataclass(frozen=True)
class Ratio:
    """How many times faster one is than another."""

    of_medians: float
    lowest: float
    """The worst single round."""
    highest: float

    @classmethod
    def between(cls, slower: Timing, faster: Timing) -> "Ratio":
        """Rounds are compared with each other, one by one, for the spread."""
        rounds = [left / right for left, right in zip(slower.seconds, faster.seconds, strict=True)]
        return cls(slower.median / faster.median, min(rounds), max(rounds))


def interleave(
    contestants: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True
) -> dict[str, Timing]:
    """Run every contestant once to warm up, unless that was done before, then once a round."""
    for run in contestants.values() if warm_up else ():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}
