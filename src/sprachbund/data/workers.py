"""The same work on many things, in several processes of one machine; results come in the order of the things."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from sprachbund.errors import SprachbundError

T = TypeVar("T")
R = TypeVar("R")

GROUP = 8  # things sent to a process at once
AHEAD = 3  # groups a process on their way, so that memory stays bounded however slow the taker is


def in_processes(function: Callable[[T], R], things: Iterable[T], jobs: int) -> Iterator[R]:
    """``map(function, things)`` in `jobs` processes of one thread each; in this one where `jobs` is 1.

    Args:
        function: importable by its name, or a `functools.partial` of one; it and its results are sent by pickle.
        things: read no further ahead than the processes need.
        jobs: processes.

    Raises:
        SprachbundError: a process died, for example because the memory was full.
    """
    if jobs <= 1:
        yield from map(function, things)
        return
    # Not by fork: a copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        yield from _results(pool, function, iter(things), jobs * AHEAD)
    except BrokenProcessPool:
        raise SprachbundError(
            "one of the processes was ended from outside",
            given=f"{jobs} processes",
            mend="Finished work is kept: give the same command again, with fewer processes if the memory was full.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _results(pool: ProcessPoolExecutor, function: Callable[[T], R], things: Iterator[T], most: int) -> Iterator[R]:
    pending: deque[Future[list[R]]] = deque()
    while group := list(islice(things, GROUP)):
        pending.append(pool.submit(_apply, function, group))
        if len(pending) >= most:
            yield from pending.popleft().result()
    while pending:
        yield from pending.popleft().result()


def _apply(function: Callable[[T], R], group: list[T]) -> list[R]:
    return [function(thing) for thing in group]


def _begin() -> None:
    """What a process does first."""
    from threadpoolctl import threadpool_limits

    # Each process has a core of its own; threads of several would wait for each other.
    threadpool_limits(limits=1)
    # Ctrl-C goes to all processes of a terminal; the first one tells it and ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone, killed or not; else it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "this runs in child processes only"
    parent.join()
    os._exit(1)
