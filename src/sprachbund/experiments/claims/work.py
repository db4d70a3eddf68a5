"""A piece of work with what it needs, done once and noted; the same piece is never done twice at a time."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.errors import RecipeError
from sprachbund.experiments.claims.places import ClaimsPlaces
from sprachbund.experiments.resumable import Stage

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work.

    Args:
        name: of the job.
        needs: names of the jobs whose results it reads.
        choices: every choice, in plain values; called when what it needs is done.
        work: does it; what an interrupted call left is gone on with.
        result: tells the fingerprint of what came out.
    """

    name: str
    needs: tuple[str, ...] = ()
    choices: Callable[[], Mapping[str, Any]]
    work: Callable[[], object]
    result: Callable[[], str]


def is_finished(job: Job, places: ClaimsPlaces) -> bool:
    """Whether a job is done, of the same choices and the same inputs, and its result is what it was then.

    Raises:
        RecipeError: it was done with other choices.
    """
    notes = [places.note(name) for name in (job.name, *job.needs)]
    return all(note.exists() for note in notes) and _stage(job, places, _tell_nobody).is_done(job.result)


def do(job: Job, places: ClaimsPlaces, say: Say) -> None:
    """Do a job and note it.

    Raises:
        RecipeError: something that it needs is not done, it was done with other choices, or it is being done.
        SprachbundError: whatever the work itself raises.
    """
    missing = [name for name in job.needs if not places.note(name).exists()]
    if missing:
        mend = "Run `sprachbund claims` without --job, which keeps the order."
        raise RecipeError("this job needs others first", where=job.name, given=", ".join(missing), mend=mend)
    with _held(places.lock(job.name), job.name):
        stage = _stage(job, places, say)
        if not stage.is_done(job.result):
            job.work()
            stage.finish(job.result())


def fingerprint_of_files(paths: list[Path]) -> str:
    """One fingerprint of several files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _tell_nobody(_: str) -> None:
    """Takes what a stage says where only its answer is wanted."""


def _stage(job: Job, places: ClaimsPlaces, say: Say) -> Stage:
    needs = {name: _result(places.note(name)) for name in job.needs}
    return Stage(places.note(job.name), {**job.choices(), "needs": needs}, say)


def _result(note: Path) -> str:
    try:
        return str(json.loads(note.read_text("utf-8"))["result"])
    except (ValueError, KeyError, TypeError) as error:
        mend = "Delete it; the job is then done again."
        raise RecipeError("the note of a job cannot be read", where=note, given=error, mend=mend) from None


@contextmanager
def _held(lock: Path, name: str) -> Iterator[None]:
    """Holds a lock that ends with the process, however it ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mend = "Wait until that process has ended."
            raise RecipeError("another process is at this job", where=lock, given=name, mend=mend) from None
        yield
