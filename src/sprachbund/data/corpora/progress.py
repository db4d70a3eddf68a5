"""A progress bar around an iteration."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def show_progress(items: Iterable[Item], description: str, total: int, visible: bool) -> Iterator[Item]:
    """Pass `items` on, with a bar on the error stream where `visible`."""
    yield from track(items, description, total=total, console=Console(stderr=True), disable=not visible or total == 0)
