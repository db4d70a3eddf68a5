"""How fast a verb goes through speech, told on standard error: it is no result."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer


@contextmanager
def timed(stage: str, cuts: Iterable[Any]) -> Iterator[None]:
    """Tell how long the block took and how many hours of speech that makes in an hour.

    Args:
        stage: what was done, such as "labelled".
        cuts: Lhotse cuts that the block goes through.
    """
    hours = sum(cut.duration for cut in cuts) / 3600
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    speed = 3600 * hours / max(seconds, 1e-9)
    typer.echo(f"{stage} {hours:.2f} h of speech in {seconds:.1f} s: {speed:.0f} audio hours per hour", err=True)
