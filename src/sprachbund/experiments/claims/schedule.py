"""Jobs as processes, a few at a time, each as soon as what it needs is done."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sprachbund.experiments.claims.work import Job, Say

POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the jobs."""

    done: tuple[str, ...] = ()  # in this call
    failed: tuple[str, ...] = ()
    is_stopped: bool = False  # by the clock, with jobs left


@dataclass
class Schedule:
    """Runs jobs.

    Args:
        jobs: by name, those wanted first at the front.
        finished: names of those that need not be run.
        command: of the process that does a job; it exits with 0 where the job is done.
        log: the file that the process writes to.
        say: is told what begins and ends.
    """

    jobs: Mapping[str, Job]
    finished: set[str]
    command: Callable[[str], Sequence[str]]
    log: Callable[[str], Path]
    say: Say
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _done: list[str] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)

    def run(self, workers: int, deadline: float | None = None) -> Outcome:
        """Run all that can be run. However this ends, no process is left: they are told to stop, and waited for.

        Args:
            workers: processes at a time.
            deadline: of `time.monotonic`, after which nothing goes on.
        """
        with _terminable():
            return self._run(workers, deadline)

    def _run(self, workers: int, deadline: float | None) -> Outcome:
        try:
            while True:
                self._collect()
                if deadline is not None and monotonic() >= deadline:
                    return self._outcome(is_stopped=len(self.finished) + len(self._failed) < len(self.jobs))
                while len(self._running) < workers and (name := self._next()) is not None:
                    self._start(name)
                if not self._running:
                    return self._outcome(is_stopped=False)
                sleep(POLL_SECONDS)
        finally:
            self._stop()

    def _next(self) -> str | None:
        """The first job that is neither done, tried nor at work, and whose needs are all done."""
        taken = self.finished | set(self._failed) | set(self._running)
        ready = (name for name, job in self.jobs.items() if name not in taken and self.finished.issuperset(job.needs))
        return next(ready, None)

    def _start(self, name: str) -> None:
        path = self.log(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Own process groups: a Ctrl-C is passed on by `_stop` and not given twice, which would end trainings at once.
        with path.open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  (no shell, and the words are ours)
                self.command(name),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        self.say(f"{name}: begins")

    def _collect(self) -> None:
        for name, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            del self._running[name]
            if code == 0:
                self.finished.add(name)
                self._done.append(name)
                self.say(f"{name}: done ({len(self.finished)} of {len(self.jobs)})")
            else:
                self._failed.append(name)
                self.say(f"{name}: failed with code {code}, see {self.log(name)}")

    def _stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
        self._running.clear()

    def _outcome(self, *, is_stopped: bool) -> Outcome:
        return Outcome(done=tuple(self._done), failed=tuple(self._failed), is_stopped=is_stopped)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends what is inside as Ctrl-C does, so that what it holds is put in order."""

    def leave(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
