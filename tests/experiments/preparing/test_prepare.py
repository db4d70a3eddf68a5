import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.preparable import (
    contents,
    phone_plan,
    unit_plan,
    use_small_lexicon,
    write_sources,
    write_writer_recipe,
)
from sprachbund.errors import DataError, RecipeError
from sprachbund.experiments.preparing import units
from sprachbund.experiments.preparing.plans import Plan
from sprachbund.experiments.preparing.prepare import prepare
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import train

TWO_STEPS = (
    "speech.batch_seconds=3",
    "speech.buckets=1",
    *(f"run.{key}=2" for key in ("steps", "validate_every", "checkpoint_every")),
    "run.loader_workers=0",
)


def run(plan: Plan, out: Path) -> list[str]:
    said: list[str] = []
    assert prepare(plan, out, said.append) == out / "recipe.yaml"
    return said


def test_interrupted_between_any_two_stages_is_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)
    plan = unit_plan(tmp_path)
    run(plan, tmp_path / "whole")
    stages = ("make_tokenizer", "make_unit_model", "label_speech", "make_phones", "make_units", "count_pairs")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    for name in stages:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(units, name, interrupted)
            run(plan, tmp_path / "out")
        assert not (tmp_path / "out" / "recipe.yaml").exists()
    said = run(plan, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert [one.rpartition(": ")[2] for one in said if one.startswith("out, ")] == ["already there"] * 4
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()}
    run(plan, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()} == times


def test_folders_of_something_else_and_sizes_that_are_none_are_refused(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    for place in (tmp_path / "other", tmp_path / "other" / "file"):
        with pytest.raises(DataError, match="the folder holds something else"):
            prepare(plan, place, print)
    with pytest.raises(RecipeError, match=r"no such recipe \(given: speechlm_h_large\)"):
        prepare(unit_plan(tmp_path, size="large"), tmp_path / "out", print)
    assert not (tmp_path / "out").exists()


def command(folder: Path, out: Path, *options: str) -> list[str]:
    """The command line that prepares SpeechLM-H of a tiny corpus, with a text-to-unit model that is trained."""
    if not (folder / "t2u.yaml").exists():
        write_sources(folder)
        write_writer_recipe(folder)
    speech = folder / "speech"
    given = ["--speech", speech / "train.jsonl.gz", "--paired", speech / "paired.jsonl.gz"]
    given += ["--valid", speech / "valid.jsonl.gz", "--text", folder / "text" / "lines.txt"]
    given += ["--num-units", "5", "--recipe", folder / "t2u.yaml", *options]
    return [sys.executable, "-m", "sprachbund", "prepare", "speechlm-h", str(out), *map(str, given)]


@pytest.mark.slow
def test_killed_anywhere_is_uninterrupted_with_any_number_of_jobs(tmp_path: Path) -> None:
    whole = subprocess.run(command(tmp_path, tmp_path / "whole"), capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    wanted = contents(tmp_path / "whole")
    # Killed when these first appear: inside of stages, in the middle of the training too.
    marks = ("labelled/units", "text_to_unit/run/checkpoints", "paired")
    for mark in marks:
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                command(tmp_path, tmp_path / "out", "--jobs", "2"), stdout=log, stderr=log, start_new_session=True
            )
            while process.poll() is None and not (tmp_path / "out" / mark).exists():
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    done = subprocess.run(
        command(tmp_path, tmp_path / "out", "--jobs", "2"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == wanted


@pytest.mark.slow
def test_a_moved_folder_is_trained_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)
    root = tmp_path / "root"
    run(unit_plan(root, sources=write_sources(root, 8)), root / "out")
    # Recordings lie outside of the folder: both are moved together.
    root.rename(tmp_path / "moved")
    recipe = load_recipe(str(tmp_path / "moved" / "out" / "recipe.yaml"), TWO_STEPS, verb="pretrain")
    model = train(recipe, tmp_path / "run")
    assert (model / "model.safetensors").exists()
