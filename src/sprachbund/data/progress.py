"""How far a walk over cuts is, on standard error; standard output belongs to results."""

from collections.abc import Iterator

from lhotse import CutSet
from lhotse.cut import Cut
from rich.console import Console
from rich.progress import track


def watched(cuts: CutSet, description: str) -> Iterator[Cut]:
    """The cuts one after another, with a bar that says how many are done."""
    total: int | None = None if cuts.is_lazy else len(cuts)
    return iter(track(cuts, description=description, total=total, console=Console(stderr=True)))
