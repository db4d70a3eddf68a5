"""The whole comparison as one command that goes on where it stopped."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sprachbund.config import nearest
from sprachbund.errors import RecipeError
from sprachbund.experiments.claims.budget import BUDGETS
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.jobs import all_jobs
from sprachbund.experiments.claims.places import ClaimsPlaces
from sprachbund.experiments.claims.report import write_all
from sprachbund.experiments.claims.schedule import Schedule
from sprachbund.experiments.claims.work import do, is_finished
from sprachbund.experiments.run import describe_hardware

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Claims:
    """A comparison.

    Args:
        budget: the name of a budget.
        out: folder of everything that is made.
        corpora: folder of the corpora.
        say: is told how it goes.
    """

    budget: str
    out: Path
    corpora: Path
    say: Say

    def run(self, *, workers: int, hours: float | None) -> Path:
        """Do what is not done yet, write the report, and return it; the report is written however this ends.

        Raises:
            RecipeError: the folder holds work of other choices, or jobs have failed.
        """
        shared = self._shared()
        jobs = all_jobs(shared)
        finished = {name for name, job in jobs.items() if is_finished(job, shared.places)}
        self.say(f"{len(finished)} of {len(jobs)} jobs are done")
        schedule = Schedule(jobs, finished, self._command, shared.places.log, self.say)
        try:
            outcome = schedule.run(workers, None if hours is None else time.monotonic() + 3600 * hours)
        finally:
            page = self.report()
        if outcome.failed:
            where = ", ".join(str(shared.places.log(name)) for name in outcome.failed)
            mend = "Read the logs; the same command tries them again."
            raise RecipeError("jobs have failed", where=where, given=", ".join(outcome.failed), mend=mend)
        if outcome.is_stopped:
            self.say("the time is up; the same command goes on from here")
        return page

    def do(self, name: str) -> None:
        """Do one job, whose needs must be done.

        Raises:
            RecipeError: there is no such job, or something that it needs is not done.
            SprachbundError: whatever the job raises.
        """
        shared = self._shared()
        jobs = all_jobs(shared)
        if name not in jobs:
            raise RecipeError("there is no such job", given=name, mend=nearest(name, list(jobs)))
        do(jobs[name], shared.places, self.say)

    def report(self) -> Path:
        """Write the report of what is done, and return it."""
        shared = self._shared()
        missing = [name for name in all_jobs(shared) if not shared.places.note(name).exists()]
        return write_all(shared, missing, describe_hardware())

    def _shared(self) -> SharedData:
        if self.budget not in BUDGETS:
            raise RecipeError("there is no such budget", given=self.budget, mend=nearest(self.budget, list(BUDGETS)))
        return SharedData(BUDGETS[self.budget], ClaimsPlaces(self.out, self.corpora), self.say)

    def _command(self, job: str) -> list[str]:
        given = {"--budget": self.budget, "--out": self.out, "--corpora": self.corpora, "--job": job}
        options = [str(part) for pair in given.items() for part in pair]
        return [sys.executable, "-m", "sprachbund", "claims", *options]
