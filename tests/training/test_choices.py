"""What recipes of every task choose: impossible lengths of runs are refused when the recipe is read."""

from typing import Any

import pytest

from sprachbund.config import from_mapping
from sprachbund.errors import RecipeError
from sprachbund.training.choices import ModelChoice, OptimizationConfig, RunConfig


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"steps": 0}, "at least 1"),
        ({"validate_every": 0}, "at least 1"),
        ({"keep_checkpoints": 0}, "no run can be resumed"),
        ({"valid_clips": -1}, "not negative"),
    ],
)
def test_runs_without_steps_or_checkpoints_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        from_mapping(RunConfig, values, "test")


def test_a_schedule_longer_than_its_run_is_refused() -> None:
    schedule = {"total_steps": 10, "warmup": 0.5, "hold": 0.5, "decay": 0.5}
    with pytest.raises(RecipeError, match="longer than the run"):
        from_mapping(OptimizationConfig, {"schedule": schedule}, "test")


def test_sizes_have_names() -> None:
    assert from_mapping(ModelChoice, {"size": "tiny"}, "test") == ModelChoice(size="tiny")
    with pytest.raises(RecipeError, match=r"the value of 'size' cannot be used"):
        from_mapping(ModelChoice, {"size": "huge"}, "test")
