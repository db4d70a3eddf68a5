"""What a kind of input is to the fuzzer."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sprachbund.errors import SprachbundError


@dataclass(frozen=True)
class Kind:
    """A kind of input that people hand to the package."""

    share: int  # inputs of the slow tier
    prepare: Callable[[Path], None]  # write sound originals into a folder
    # Write a damaged one into an empty folder, and return what `use` takes: (originals, folder, choice, number).
    make: Callable[[Path, Path, random.Random, int], Any]
    use: Callable[[Any], None]  # as the package uses it; raises a SprachbundError, or nothing


def each(*uses: Callable[[], Any]) -> None:
    """Do all of them; raise the first error of ours at the end, so that an early one does not hide what comes after."""
    first: SprachbundError | None = None
    for use in uses:
        try:
            use()
        except SprachbundError as error:
            check_sentence(error)
            first = first or error
    if first is not None:
        raise first


def check_sentence(error: SprachbundError) -> None:
    """An error says something, in a length that can be read."""
    assert 10 < len(str(error)) < 20_000, str(error)[:500]
    assert error.what


def pick(choice: random.Random, things: Sequence[Any]) -> Any:
    return things[choice.randrange(len(things))]
