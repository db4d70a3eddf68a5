"""Runs that end before their end: killed, interrupted, or out of room. Real processes, real signals, real limits."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.training.checkpointing import list_checkpoints, newest_sound_checkpoint
from training.processes import farthest, run, start, trained, write_recipe
from training.runs import figures

STEPS = 8


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three passes over the speech and two micro-batches a step, so that kills fall between both."""
    folder = tmp_path_factory.mktemp("killed")
    plain = tiny.pretraining_recipe(
        folder, accumulate=2, steps=STEPS, threads=1, validate_every=5, checkpoint_every=2, log_every=3
    )
    plain["model"]["changes"]["encoder"]["layerdrop"] = 0.3
    return write_recipe(folder / "recipe.yaml", plain)


@pytest.fixture(scope="module")
def whole(recipe: Path) -> Path:
    """The run that nothing has ended."""
    folder = recipe.parent / "whole"
    assert run(recipe.parent / "log", "pretrain", recipe, "--out", folder) == 0, (recipe.parent / "log").read_text()
    return folder


def assert_same_run(folder: Path, whole: Path, *, with_log: bool = True) -> None:
    assert farthest(trained(folder), trained(whole)) == 0.0
    ours, theirs = (load_model(run / "model").weights for run in (folder, whole))
    assert farthest(dict(ours), dict(theirs)) == 0.0
    if with_log:
        # A kill in or before the validation of a step that is saved leaves its line out.
        trains = [[line for line in figures(run) if line["split"] == "train"] for run in (folder, whole)]
        assert trains[0] == trains[1]
    hidden = [path for path in folder.rglob(".*") if path.is_file()]
    assert hidden == []


def goes_on(recipe: Path, folder: Path, log: Path, *changes: object) -> None:
    assert run(log, "pretrain", recipe, *changes, "--out", folder, "--resume") == 0, log.read_text()


def kill_again_and_again(recipe: Path, whole: Path, folder: Path, *, kills: int, workers: int, seed: int) -> None:
    """Kill a run at random moments, each time it has gone on; a run that reaches its end is compared and begun anew."""
    moments = random.Random(seed)
    began = time.monotonic()
    goes_on(recipe, folder / "timed", folder / "log", f"run.loader_workers={workers}")
    longest = time.monotonic() - began
    reached: set[str] = set()
    number = 0
    for _ in range(kills):
        place = folder / str(number)
        process = start(folder / "log", "pretrain", recipe, f"run.loader_workers={workers}", "--out", place, "--resume")
        process.join(moments.uniform(0.2, 1.0) * longest)  # before that it reads its data
        process.kill()
        process.join()
        reached |= {path.name for path in list_checkpoints(place / "checkpoints")}
        if process.exitcode == 0:
            assert_same_run(place, whole)
            number += 1
    goes_on(recipe, folder / str(number), folder / "log", f"run.loader_workers={workers}")
    assert_same_run(folder / str(number), whole)
    assert kills < 20 or len(reached) > 2, "too few of the kills came between checkpoints"


def test_a_run_that_is_killed_at_random_moments(recipe: Path, whole: Path, tmp_path: Path) -> None:
    kill_again_and_again(recipe, whole, tmp_path, kills=3, workers=0, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_is_killed_at_twenty_random_moments(recipe: Path, whole: Path, tmp_path: Path, workers: int) -> None:
    kill_again_and_again(recipe, whole, tmp_path, kills=20, workers=workers, seed=10 + workers)


def wait_for(found: Callable[[], bool], process: BaseProcess, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert process.is_alive() and time.monotonic() < end, "it did not come"


@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_while_it_writes_a_checkpoint(
    recipe: Path, whole: Path, tmp_path: Path, number: int
) -> None:
    checkpoints = tmp_path / "run" / "checkpoints"
    process = start(tmp_path / "log", "pretrain", recipe, "--out", tmp_path / "run")
    saved = [checkpoints / f"step-{2 * step:08d}.ckpt" for step in range(1, number)]
    wait_for(lambda: all(path.exists() for path in saved) and any(checkpoints.glob(".step-*")), process)
    process.kill()
    process.join()
    # The rename may have come just before the kill; most often it has not.
    (checkpoints / f".step-{2 * number:08d}.abcdefgh.ckpt").write_bytes(b"half of one")
    goes_on(recipe, tmp_path / "run", tmp_path / "log")
    assert_same_run(tmp_path / "run", whole)


def test_loader_workers_do_not_outlive_a_kill(recipe: Path, tmp_path: Path) -> None:
    process = start(tmp_path / "log", "pretrain", recipe, "run.loader_workers=2", "--out", tmp_path / "run")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("this system does not tell the children of a process")
    wait_for(lambda: any((tmp_path / "run" / "checkpoints").glob("step-*")), process)
    workers = [int(word) for word in children.read_text().split()]
    assert len(workers) >= 2
    process.kill()
    process.join()
    end = time.monotonic() + 5
    while any(is_running(worker) for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(is_running(worker) for worker in workers)


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("number", "code", "told", "workers"),
    [
        (signal.SIGINT, 130, "interrupted; what was finished is kept", 0),
        (signal.SIGTERM, 143, "stopped by SIGTERM after step", 2),
    ],
)
def test_a_run_that_is_told_to_stop_saves_its_step(
    recipe: Path, whole: Path, tmp_path: Path, number: int, code: int, told: str, workers: int
) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    rare = ("run.checkpoint_every=1000", "run.log_every=1", f"run.loader_workers={workers}")
    process = start(log, "pretrain", recipe, *rare, "--out", folder)
    wait_for(lambda: (folder / "metrics.jsonl").exists(), process)
    assert process.pid is not None
    children = [int(word) for word in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    for one in (process.pid, *children):  # as a terminal and a cluster do it
        os.kill(one, number)
    process.join(60)
    assert process.exitcode == code, log.read_text()
    assert told in log.read_text()
    assert "Traceback" not in log.read_text()
    [saved] = list_checkpoints(folder / "checkpoints")
    assert 1 <= int(saved.stem[5:]) < STEPS
    assert not (folder / "model").exists()
    goes_on(recipe, folder, log)
    assert_same_run(folder, whole, with_log=False)  # the first part has logged every step


def test_a_run_without_room_for_its_checkpoint(recipe: Path, whole: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    assert run(log, "pretrain", recipe, "run.steps=4", "--out", folder) == 0
    sound = list_checkpoints(folder / "checkpoints")[0]
    before = sound.read_bytes()
    assert run(log, "pretrain", recipe, "--out", folder, "--resume", room=len(before) // 2) == 2
    said = [line for line in log.read_text().splitlines() if line.startswith("sprachbund: ")]
    assert len(said) == 1
    assert "the checkpoint cannot be written" in said[0]
    assert "File too large" in said[0]
    assert "Traceback" not in log.read_text()
    assert newest_sound_checkpoint(folder / "checkpoints", pytest.fail) == sound
    assert sound.read_bytes() == before
    assert list((folder / "checkpoints").glob(".*")) == []
    goes_on(recipe, folder, log)
    assert_same_run(folder, whole, with_log=False)  # the first part has logged its last step


def test_the_runs_here_would_differ_by_a_lost_step(recipe: Path, whole: Path, tmp_path: Path) -> None:
    """The comparison is sharp: a run that repeats a step is another run."""
    folder = shutil.copytree(whole, tmp_path / "run")
    last, before = list_checkpoints(folder / "checkpoints")
    content = torch.load(before, weights_only=True)
    content["TrainingData"]["next_step"] -= 1
    torch.save(content, before)
    last.unlink()
    goes_on(recipe, folder, tmp_path / "log")
    with pytest.raises(AssertionError):
        assert_same_run(folder, whole, with_log=False)
