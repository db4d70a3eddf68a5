import ctypes
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sprachbund.data.loader_workers import WorkerStart

CONTEXT = multiprocessing.get_context("fork")
pytestmark = [
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="processes are told of their parent's end on Linux"
    ),
    pytest.mark.filterwarnings("ignore:.*use of fork"),
]


def work(note: Path, start: WorkerStart) -> None:
    start(0)
    note.write_text(str(os.getpid()))
    time.sleep(60)


def parent(note: Path) -> None:
    child = CONTEXT.Process(target=work, args=(note, WorkerStart()))
    child.start()
    child.join()


def number_in(note: Path) -> int:
    end = time.monotonic() + 20
    while not (note.exists() and note.read_text()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return int(note.read_text())


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=parent, args=(tmp_path / "note",))
    process.start()
    worker = number_in(tmp_path / "note")
    assert is_running(worker)
    process.kill()
    process.join()
    end = time.monotonic() + 10
    while is_running(worker) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(worker)


def test_a_worker_leaves_signals_to_its_parent(tmp_path: Path) -> None:
    worker = CONTEXT.Process(target=work, args=(tmp_path / "note", WorkerStart()))
    worker.start()
    number = number_in(tmp_path / "note")
    for name in (signal.SIGINT, signal.SIGTERM):
        os.kill(number, name)
    worker.join(0.2)
    assert worker.is_alive()
    worker.kill()
    worker.join()


def test_a_worker_whose_parent_is_gone_does_not_begin(tmp_path: Path) -> None:
    start = WorkerStart()
    start.parent = ctypes.c_int(-1).value
    worker = CONTEXT.Process(target=work, args=(tmp_path / "note", start))
    worker.start()
    worker.join(20)
    assert worker.exitcode == 1
    assert not (tmp_path / "note").exists()
