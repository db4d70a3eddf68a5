import json

import pytest
from safetensors.numpy import load_file

from sprachbund.errors import RecipeError
from sprachbund.training.schedules import ScheduleConfig, learning_rate


def config_from_original(kind: str, settings: dict) -> ScheduleConfig:
    rate = settings["lr"][0]
    if kind.startswith("tri_stage"):
        phases = settings["phase_ratio"] or [settings[f"{name}_steps"] for name in ("warmup", "hold", "decay")]
        return ScheduleConfig(
            kind="tri_stage", peak=rate, total_steps=settings["max_update"], warmup=phases[0], hold=phases[1],
            decay=phases[2], initial_scale=settings["init_lr_scale"], final_scale=settings["final_lr_scale"],
        )  # fmt: skip
    if kind == "polynomial":
        return ScheduleConfig(
            kind="polynomial", peak=rate, total_steps=settings["total_num_update"],
            warmup=settings["warmup_updates"], power=settings["power"], end=settings["end_learning_rate"],
        )  # fmt: skip
    if kind == "inverse_sqrt":
        return ScheduleConfig(kind="inverse_sqrt", peak=rate, warmup=settings["warmup_updates"])
    return ScheduleConfig(
        kind="triangular", peak=settings["max_lr"], end=rate, period=settings["lr_period_updates"],
        shrink=settings["lr_shrink"],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["tri_stage_phase", "tri_stage_steps", "polynomial", "inverse_sqrt", "triangular"])
def test_equals_the_original(golden, kind):
    case = golden / "preprocess" / "lr_schedules"
    if not case.exists():
        pytest.skip("this golden directory has no learning rates")
    settings = json.loads((case / "meta.json").read_text())["settings"][kind]
    numbers = load_file(case / "io.safetensors")
    config = config_from_original(kind, settings)
    ours = [learning_rate(config, int(step)) for step in numbers["in.num_updates"]]
    assert ours == pytest.approx(numbers[f"out.{kind}"].tolist(), rel=1e-6, abs=1e-15)


def test_constant_after_warmup():
    config = ScheduleConfig(kind="constant", peak=1e-3, warmup=10)
    assert [learning_rate(config, step) for step in (0, 5, 10, 99)] == pytest.approx([0, 5e-4, 1e-3, 1e-3])


def test_phases_longer_than_the_run_are_refused():
    with pytest.raises(RecipeError, match="longer than the run"):
        learning_rate(ScheduleConfig(total_steps=100, warmup=60, hold=30, decay=20), 0)
