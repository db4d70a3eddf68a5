"""``sprachbund tokens lines``."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import typer


def lines(
    source: Annotated[
        str, typer.Argument(help="A line store, or any other text: FILE, FILE.jsonl, FILE.idx, a saved data set.")
    ],
    field: Annotated[
        str | None, typer.Option(help="Field to print; where not given, all fields of a store, parted by tabs.")
    ] = None,
    first: Annotated[int | None, typer.Option(min=0, help="Print this many lines only.")] = None,
) -> None:
    """Print the lines of a line store, or of another source of text."""
    for line in islice(_told(source, field), first):
        typer.echo(line)


def _told(source: str, field: str | None) -> Iterator[str]:
    from sprachbund.data.text.lines import each_line
    from sprachbund.data.text.sources import open_text
    from sprachbund.data.text.store import LineStore, is_store

    if is_store(source) and field is None:
        store = LineStore(source)
        for number in range(len(store)):
            yield "\t".join(store.text(name, number) for name in store.fields)
        return
    yield from (line.text for line in each_line(open_text(source if field is None else f"{source}#{field}")))
