"""Several processes: what a launcher says of them, and that they train what one process trains."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.errors import RecipeError
from sprachbund.training.distributed import (
    Processes,
    check_share,
    gather,
    largest_over_processes,
    launched_processes,
    process_count,
    process_rank,
    strategy_of,
    sum_over_processes,
)
from sprachbund.training.sharding import ShardedStrategy
from training.processes import (
    codes_of,
    farthest,
    run,
    run_together,
    start_together,
    state,
    trained,
    write_recipe,
)
from training.runs import figures

TORCHRUN = {"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
SLURM = {"SLURM_STEP_NUM_TASKS": "6", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "4"}
# Six steps at rate 1e-3 move a weight by up to 6e-3. Orders of addition differ, and Adam divides by small numbers.
WEIGHTS, LOSSES = 2e-5, 2e-4
# The absolute distance of spectrograms has a gradient that jumps where a difference changes its sign, and rounding
# decides the side: then single weights go farther, while all together (root mean square) stay near.
JUMP, TYPICAL = 5e-4, 5e-6
STEADY, SMOOTH = "model.changes.encoder.layerdrop=0", "objective.speech.spectrogram_weight=0"


@pytest.mark.parametrize(
    ("variables", "expected", "machines"),
    [
        ({}, Processes(), 1),
        (TORCHRUN, Processes(5, 8, 4, "torchrun"), 2),
        (SLURM, Processes(4, 6, 3, "slurm"), 2),
        # A batch script has many tasks to give out; this process is one that srun has not started.
        ({"SLURM_NTASKS": "6", "SLURM_PROCID": "0"}, Processes(), 1),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "1"}, Processes(), 1),
        ({**SLURM, **TORCHRUN}, Processes(5, 8, 4, "torchrun"), 2),
    ],
)
def test_what_launchers_say(variables: Mapping[str, str], expected: Processes, machines: int) -> None:
    found = launched_processes(variables)
    assert (found, found.machines) == (expected, machines)
    assert found.is_first == (expected.rank == 0)


def test_machines_of_different_sizes_are_refused() -> None:
    with pytest.raises(RecipeError, match="equally many processes"):
        launched_processes({**TORCHRUN, "WORLD_SIZE": "7"})


def test_a_step_is_shared_out_equally() -> None:
    for count in (1, 2, 3, 6):
        check_share(6, Processes(0, count, count))
    with pytest.raises(RecipeError, match=r"run\.accumulate \(given: 6 for 4 processes\)"):
        check_share(6, Processes(0, 4, 4))


def test_names_of_strategies() -> None:
    two = Processes(0, 2, 2, "torchrun")
    assert {strategy_of(name, Processes()) for name in ("auto", "ddp", "fsdp")} == {"auto"}
    kinds = [type(strategy_of(name, two)) for name in ("auto", "ddp", "fsdp")]
    assert kinds == [DDPStrategy, DDPStrategy, ShardedStrategy]


def test_one_process_alone_adds_up_what_it_has() -> None:
    assert (process_count(), process_rank()) == (1, 0)
    assert gather("mine") == ["mine"]
    assert sum_over_processes({"a": 1.5, "b": 2.0}) == {"a": 1.5, "b": 2.0}
    assert largest_over_processes(7, "cpu") == 7


class Runs:
    """A recipe, and runs of it with one and with several processes, each made once."""

    def __init__(self, verb: str, recipe: Mapping[str, Any], folder: Path) -> None:
        self.verb, self.folder = verb, folder
        self.recipe = write_recipe(folder / "recipe.yaml", recipe)

    def one(self, name: str, *changes: object) -> Path:
        """A run of one process."""
        out, log = self.folder / name, self.folder / "log"
        if not (out / "model").exists():
            assert run(log, self.verb, self.recipe, *changes, "--out", out) == 0, log.read_text()
        return out

    def several(self, name: str, count: int, *changes: object) -> Path:
        """A run of `count` processes."""
        codes = run_together(self.folder, count, self.verb, self.recipe, *changes, "--out", self.folder / name)
        assert codes == [0] * count, [(self.folder / f"log-{rank}").read_text()[-3000:] for rank in range(count)]
        return self.folder / name


@pytest.fixture(scope="module")
def recognition(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Dropped layers, dropout and an encoder that is frozen at first."""
    folder = tmp_path_factory.mktemp("recognition")
    recipe = tiny.recognition_recipe(folder, accumulate=6, threads=1)
    recipe["model"]["changes"]["encoder"]["layerdrop"] = 0.3
    recipe["objective"] = {"freeze_encoder_steps": 2}
    return Runs("finetune", recipe, folder)


@pytest.fixture(scope="module")
def pretraining(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Both streams, batch norm, the codebook."""
    folder = tmp_path_factory.mktemp("pretraining")
    recipe = tiny.pretraining_recipe(folder, accumulate=6, threads=1)
    recipe["speech"]["batch_seconds"] = 1.5  # batches of one and two clips
    recipe["model"]["changes"]["encoder"]["layerdrop"] = 0.3
    return Runs("pretrain", recipe, folder)


def typical_difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """The root of the mean squared difference."""
    squares = torch.cat([(one[name].double() - other[name].double()).square().flatten() for name in one])
    return float(squares.mean().sqrt())


def assert_same_curve(several: Path, one: Path, each: float = WEIGHTS) -> None:
    ours, theirs = figures(several), figures(one)
    assert [(line["step"], line["split"]) for line in ours] == [(line["step"], line["split"]) for line in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert left.keys() == right.keys()
        assert left["loss"] == pytest.approx(right["loss"], rel=LOSSES)
        assert left.get("gradient_norm", 0) == pytest.approx(right.get("gradient_norm", 0), rel=100 * LOSSES)
    weights = [dict(load_model(folder / "model").weights) for folder in (several, one)]
    assert typical_difference(*weights) < TYPICAL
    assert farthest(*weights) < each
    # The places in the data and the steps of the optimizer are the same, not nearly so.
    places = [state(folder)["TrainingData"] for folder in (several, one)]
    assert places[0] == places[1]
    moments = [state(folder)["optimizer_states"][0]["state"] for folder in (several, one)]
    assert {key: entry["step"] for key, entry in moments[0].items()} == {
        key: entry["step"] for key, entry in moments[1].items()
    }


def test_two_processes_train_what_one_does(recognition: Runs) -> None:
    one = recognition.one("one")
    assert_same_curve(recognition.several("two", 2), one)


def test_the_tolerance_is_sharp(recognition: Runs) -> None:
    """Other masks or dropout, or a step of other clips, would be seen."""
    other = recognition.one("other", "run.seed=4")
    with pytest.raises(AssertionError):
        assert_same_curve(other, recognition.one("one"))


def test_steps_that_cannot_be_shared_are_refused_in_a_sentence(recognition: Runs) -> None:
    codes = run_together(
        recognition.folder, 2, "finetune", recognition.recipe, "run.accumulate=3", "--out", recognition.folder / "no"
    )
    assert codes == [2, 2]
    assert "3 for 2 processes" in (recognition.folder / "log-0").read_text()
    assert not (recognition.folder / "no").exists()


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_copies_in_pretraining(pretraining: Runs, count: int) -> None:
    assert_same_curve(pretraining.several(f"ddp-{count}", count, "run.strategy=ddp"), pretraining.one("one"), each=JUMP)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_copies_without_a_gradient_that_jumps(pretraining: Runs, count: int) -> None:
    several = pretraining.several(f"smooth-{count}", count, "run.strategy=ddp", SMOOTH)
    assert_same_curve(several, pretraining.one("smooth", SMOOTH), each=WEIGHTS / 10)


@pytest.mark.slow
@pytest.mark.parametrize("left_out", ["speech", "text"])
def test_one_stream_leaves_parts_of_the_model_unused(pretraining: Runs, left_out: str) -> None:
    change = f"{left_out}=null"
    one = pretraining.one(f"one-{left_out}", change)
    assert_same_curve(pretraining.several(f"ddp-{left_out}", 2, change), one)


@pytest.mark.slow
def test_parts_of_a_model(recognition: Runs) -> None:
    one = recognition.one("steady", STEADY)
    assert_same_curve(recognition.several("fsdp", 2, STEADY, "run.strategy=fsdp"), one)


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "each"), [((STEADY, SMOOTH), WEIGHTS), ((STEADY,), JUMP)])
def test_parts_of_a_model_in_pretraining(pretraining: Runs, changes: tuple[str, ...], each: float) -> None:
    one = pretraining.one(f"steady-{len(changes)}", *changes)
    assert_same_curve(pretraining.several(f"fsdp-{len(changes)}", 2, *changes, "run.strategy=fsdp"), one, each)


@pytest.mark.slow
def test_parts_of_a_model_drop_no_layers(recognition: Runs) -> None:
    codes = run_together(
        recognition.folder, 2, "finetune", recognition.recipe, "run.strategy=fsdp", "--out", recognition.folder / "no"
    )
    assert codes == [2, 2]
    assert "layerdrop: 0.3" in (recognition.folder / "log-0").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_several_processes_resume_exactly(pretraining: Runs, strategy: str) -> None:
    changes = (STEADY, f"run.strategy={strategy}", "run.loader_workers=2")
    whole = pretraining.several(f"whole-{strategy}", 2, *changes)
    name = f"halves-{strategy}"
    pretraining.several(name, 2, *changes, "run.steps=3")
    resumed = pretraining.several(name, 2, *changes, "--resume")
    assert farthest(trained(resumed), trained(whole)) == 0.0
    assert figures(resumed) == figures(whole)


@pytest.mark.slow
def test_a_checkpoint_serves_any_number_of_processes(pretraining: Runs) -> None:
    """Begun by two with parts, gone on by one, then by three with copies, ended by two with parts."""
    often = (STEADY, SMOOTH, "run.checkpoint_every=1", "run.validate_every=1")
    pretraining.several("mixed", 2, *often, "run.steps=2", "run.strategy=fsdp")
    out = pretraining.folder / "mixed"
    log = pretraining.folder / "log"
    assert run(log, "pretrain", pretraining.recipe, *often, "run.steps=3", "--out", out, "--resume") == 0
    pretraining.several("mixed", 3, *often, "run.steps=5", "run.strategy=ddp", "--resume")
    pretraining.several("mixed", 2, *often, "run.strategy=fsdp", "--resume")
    assert_same_curve(out, pretraining.one("often", *often))


@pytest.mark.slow
def test_all_processes_stop_after_the_same_step(pretraining: Runs) -> None:
    """Though only one of them was told to, and all are told a little later, as a launcher may do."""
    out = pretraining.folder / "stopped"
    rare = (STEADY, "run.checkpoint_every=1000", "run.steps=30")
    processes = start_together(pretraining.folder, 2, "pretrain", pretraining.recipe, *rare, "--out", out)
    end = time.monotonic() + 60
    while not (out / "metrics.jsonl").exists():
        assert time.monotonic() < end
    processes[1].terminate()
    assert codes_of(processes) == [143, 143]
    assert "stopped by SIGTERM after step" in (pretraining.folder / "log-0").read_text()
    pretraining.several("stopped", 2, *rare, "--resume")
    whole = pretraining.several("not-stopped", 2, *rare)
    assert farthest(trained(out), trained(whole)) == 0.0


@pytest.mark.slow
def test_torchrun(recognition: Runs) -> None:
    """The command of the documentation."""
    out = recognition.folder / "torchrun"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    words = ["sprachbund", "finetune", str(recognition.recipe), "run.strategy=ddp", "--out", str(out)]
    done = subprocess.run([*launch, *words], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("step 6: held out") == 1  # one process talks
    assert_same_curve(out, recognition.one("one"))
