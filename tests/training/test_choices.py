"""What recipes of every task choose: impossible lengths of runs are refused when the recipe is read."""

from typing import Any

import pytest

from sprachbund.config import from_mapping
from sprachbund.errors import RecipeError
from sprachbund.training.choices import ModelChoice, OptimizationConfig, RunConfig, refuse_other_kinds


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


def test_a_family_may_be_named_if_the_task_trains_it() -> None:
    assert ModelChoice().kind is None
    for choice in (ModelChoice(), ModelChoice(kind="speechlm"), ModelChoice(kind="speechut")):
        refuse_other_kinds(choice, "speechlm", "speechut")
    with pytest.raises(ValueError, match=r"model.kind is hubert, and this task trains speechlm or speechut"):
        refuse_other_kinds(ModelChoice(kind="hubert"), "speechlm", "speechut")
    with pytest.raises(RecipeError, match="'kind' cannot be used"):
        from_mapping(ModelChoice, {"kind": "vatlm"}, "test")
