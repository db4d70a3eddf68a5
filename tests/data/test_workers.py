import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from operator import neg
from pathlib import Path

import pytest

from sprachbund.data.units import Shard
from sprachbund.data.workers import AHEAD, GROUP, in_processes
from sprachbund.errors import RecipeError, SprachbundError


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def counted(number: int, taken: list[int]) -> Iterator[int]:
    for each in range(number):
        taken.append(each)
        yield each


# The functions are not of this file, because other processes must find them.
def test_one_job_reads_nothing_ahead():
    taken: list[int] = []
    results = in_processes(neg, counted(5, taken), 1)
    assert next(results) == 0
    assert taken == [0]
    assert list(results) == [-1, -2, -3, -4]


@pytest.mark.parametrize("number", [0, 1, GROUP, 20 * GROUP + 1])
def test_two_jobs_give_the_results_in_order_and_read_little_ahead(number: int):
    taken: list[int] = []
    results = in_processes(neg, counted(number, taken), 2)
    first = list(islice(results, 1))
    assert len(taken) <= 2 * AHEAD * GROUP
    assert first + list(results) == [-each for each in range(number)]


def test_errors_of_ours_come_through_and_a_dead_process_is_told():
    with pytest.raises(RecipeError, match=r"there is no such shard \(given: 3/2\)\. Shards of 8"):
        list(in_processes(Shard.parse, ["1/2", "3/2"] * GROUP, 2))
    with pytest.raises(SprachbundError, match="ended from outside"):
        list(in_processes(signal.raise_signal, [signal.SIGKILL] * GROUP, 2))


PARENT = """
import sys, time
from sprachbund.data.workers import in_processes
import os

if __name__ == "__main__":
    results = in_processes(os.path.exists, iter(lambda: "nothing", None), 2)
    next(results)
    import multiprocessing
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_processes_go_with_the_one_that_started_them(tmp_path: Path):
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2
        assert all(map(is_alive, children))
        parent.kill()
    until = time.monotonic() + 20
    while any(map(is_alive, children)):
        assert time.monotonic() < until, "processes are left behind"
        time.sleep(0.05)
