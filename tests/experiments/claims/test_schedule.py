"""Jobs as real processes."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sprachbund.experiments.claims.schedule import Schedule
from sprachbund.experiments.claims.work import Job

WRITE = """
import os, sys, time
name, folder = sys.argv[1:3]
with open(os.path.join(folder, "order"), "a") as handle:
    handle.write("+" + name + "\\n")
time.sleep(0.3)
if name.startswith("bad"):
    sys.exit(3)
with open(os.path.join(folder, "order"), "a") as handle:
    handle.write("-" + name + "\\n")
"""
SLEEP = """
import os, signal, sys, time
name, folder = sys.argv[1:3]
def leave(*_):
    open(os.path.join(folder, name + ".saved"), "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, leave)
open(os.path.join(folder, name + ".begun"), "w").close()
time.sleep(120)
"""


def schedule_of(
    folder: Path, needs: Mapping[str, tuple[str, ...]], finished: set[str], program: str = WRITE
) -> Schedule:
    jobs = {
        name: Job(name=name, needs=wanted, choices=dict, work=lambda: None, result=lambda: "")
        for name, wanted in needs.items()
    }
    return Schedule(
        jobs,
        finished,
        lambda name: [sys.executable, "-c", program, name, str(folder)],
        lambda name: folder / "logs" / name,
        lambda told: None,
    )


def events(folder: Path) -> list[str]:
    return (folder / "order").read_text().split()


def test_jobs_run_after_what_they_need_and_in_the_order_wanted(tmp_path: Path) -> None:
    needs = {"a": (), "b": ("a",), "c": ("a", "z"), "d": ("b", "c")}
    outcome = schedule_of(tmp_path, needs, {"z"}).run(1)
    assert outcome.done == ("a", "b", "c", "d")
    assert events(tmp_path) == ["+a", "-a", "+b", "-b", "+c", "-c", "+d", "-d"]


def test_two_workers_work_side_by_side_and_never_more(tmp_path: Path) -> None:
    schedule_of(tmp_path, {"a": (), "b": (), "c": (), "d": ()}, set()).run(2)
    at_work = [0]
    for event in events(tmp_path):
        at_work.append(at_work[-1] + (1 if event[0] == "+" else -1))
    assert max(at_work) == 2
    assert at_work[-1] == 0


def test_what_is_finished_is_not_run(tmp_path: Path) -> None:
    outcome = schedule_of(tmp_path, {"a": (), "b": ("a",)}, {"a", "b"}).run(2)
    assert (outcome.done, outcome.failed, outcome.is_stopped) == ((), (), False)
    assert not (tmp_path / "order").exists()


def test_a_failure_stops_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    outcome = schedule_of(tmp_path, {"bad": (), "b": ("bad",), "c": ()}, set()).run(1)
    assert (outcome.done, outcome.failed, outcome.is_stopped) == (("c",), ("bad",), False)
    assert "+b" not in events(tmp_path)


def test_at_the_deadline_jobs_are_told_to_stop_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [tmp_path / "a.begun", tmp_path / "b.begun"]
    # The deadline comes when both are at work.
    clock = "sprachbund.experiments.claims.schedule.monotonic"
    monkeypatch.setattr(clock, lambda: 10.0 if all(path.exists() for path in begun) else 0.0)
    outcome = schedule_of(tmp_path, {"a": (), "b": (), "c": ("a",)}, set(), SLEEP).run(2, 5.0)
    assert outcome.is_stopped
    assert outcome.done == ()
    assert (tmp_path / "a.saved").exists()
    assert (tmp_path / "b.saved").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"])
def test_a_signal_ends_the_jobs_too(tmp_path: Path, signum: signal.Signals) -> None:
    schedule = schedule_of(tmp_path, {"a": ()}, set(), SLEEP)
    child = os.fork()
    if child == 0:  # pragma: no cover  (in the other process)
        code = 1
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            schedule.run(1)
        except BaseException as error:
            code = 7 if isinstance(error, KeyboardInterrupt | SystemExit) else 1
        finally:
            os._exit(code)
    while not (tmp_path / "a.begun").exists():
        time.sleep(0.01)
    os.kill(child, signum)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert (tmp_path / "a.saved").exists()


def test_what_a_job_says_is_in_its_log(tmp_path: Path) -> None:
    schedule = schedule_of(tmp_path, {"a": ()}, set(), "import sys; print('told'); print('more', file=sys.stderr)")
    schedule.run(1)
    assert sorted((tmp_path / "logs" / "a").read_text().split()) == ["more", "told"]
