"""Whatever is handed to the package, it answers with a result or with an error of ours.

Never with a traceback, a hang, a crash, all the memory, or by executing what it reads. The inputs are the same each
time: ``python -m fuzz.worker KIND FOLDER NUMBER 1`` in the folder tests tries one of them again.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.kinds import KINDS
from fuzz.mutations import damage_bytes, damage_json, damage_text, write_json

TESTS = Path(__file__).parents[1]
FAST = range(1000, 1030)  # of each kind, behind those written by hand
MOST_CRASHES = 5


def inputs_tried(kinds: str, folder: Path, numbers: range) -> dict[str, dict[str, int]]:
    """Hand inputs to a process of its own, and to another after each that ends it; how many were answered how."""
    problems: list[str] = []
    answers: dict[str, dict[str, int]] = {}
    first, crashes = numbers.start, 0
    while first < numbers.stop and crashes < MOST_CRASHES:
        done = run_worker(kinds, folder, first, numbers.stop - first)
        for told in map(json.loads, done.stdout.splitlines()):
            if "problem" in told:
                problems.append(f"{told['kind']} {told['number']}: {told['problem']}")
            else:
                answers[told["kind"]] = told["answers"]
        if done.returncode == 0:
            break
        crashes += 1
        reached = (folder / "number").read_text()
        first = int(reached.split()[1]) + 1
        problems.append(f"{reached}: the process ended with {done.returncode}: {done.stderr[-3000:]}")
    assert not problems, "\n\n".join(problems[:10])
    return answers


def run_worker(kinds: str, folder: Path, first: int, count: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.worker", kinds, str(folder), str(first), str(count)]
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    return subprocess.run(
        command, cwd=TESTS, env=environment, capture_output=True, text=True, errors="replace", check=False
    )


def test_a_few_inputs_of_every_kind(tmp_path: Path):
    answers = inputs_tried(",".join(KINDS), tmp_path, FAST)
    assert {kind: sum(each.values()) for kind, each in answers.items()} == dict.fromkeys(KINDS, len(FAST))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_inputs(kind: str, tmp_path: Path):
    answers = inputs_tried(kind, tmp_path, range(KINDS[kind].share))[kind]
    assert sum(answers.values()) == KINDS[kind].share
    # Else nothing but the outermost reader was tried.
    assert min(answers.values()) >= 0.03 * KINDS[kind].share


def test_the_shares_make_ten_thousand():
    assert sum(kind.share for kind in KINDS.values()) >= 10_000


def test_damage_is_the_same_for_the_same_seed():
    value = {"a": [1, 2.5, "x"], "b": {"c": None}}
    for number in range(200):
        one, other = (
            [
                damage_bytes(b"RIFF" * 20, choice, other=b"fLaC" * 9),
                write_json(damage_json(value, choice), choice),
                damage_text("a: 1\nb: 2", choice, ("x", "y")),
            ]
            for choice in (random.Random(number), random.Random(number))
        )
        assert one == other
    assert value == {"a": [1, 2.5, "x"], "b": {"c": None}}


PLANTED = {
    "raises": "raise KeyError('planted')",
    "executes": "import os; os.system('true')",
    "fills the memory": "kept = [bytearray(1 << 28) for _ in range(200)]",
    "leaves what was executed": "open('executed', 'w').close()",
    "hangs": "import time; time.sleep(600)",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_the_worker_must_see_is_seen(planted: str, tmp_path: Path):
    """A worker that could not fail would prove nothing."""
    program = f"""
import sys, types
from pathlib import Path
from fuzz import worker
from fuzz.kind import Kind

worker.SECONDS = {2 if planted == "hangs" else 60}

def use(number):
    if number == 1:
        {PLANTED[planted]}

kind = Kind(3, lambda folder: None, lambda originals, folder, choice, number: number, use)
sys.modules["fuzz.kinds"] = types.SimpleNamespace(KINDS={{"planted": kind}})
worker.main("planted", Path({str(tmp_path)!r}), 0, 3)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=TESTS, capture_output=True, text=True, check=False, timeout=120
    )
    if planted in ("hangs", "crashes"):
        assert done.returncode != 0
        assert (tmp_path / "number").read_text() == "planted 1"
    else:
        assert done.returncode == 0, done.stderr
        first, last = map(json.loads, done.stdout.splitlines())
        assert (first["kind"], first["number"]) == ("planted", 1)
        assert last == {"kind": "planted", "answers": {"result": 2, "error": 0}}
