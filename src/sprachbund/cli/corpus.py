"""Verbs of corpora: list them, get them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sprachbund.errors import CorpusError

app = typer.Typer(help="List the corpora and get them.", no_args_is_help=True)

Root = Annotated[Path, typer.Option(help="Folder of all corpora.")]


@app.command("list")
def list_corpora(root: Root = Path("corpora")) -> None:
    """Show the corpora that can be fetched, and which of them are there."""
    from sprachbund.data.corpora.layout import find_prepared
    from sprachbund.data.corpora.registry import CORPORA

    table = Table("name", "what it is", "languages", "minutes", f"in {root}", show_lines=True)
    for corpus in CORPORA.values():
        prepared = find_prepared(root / corpus.name)
        minutes = "" if corpus.minutes is None else f"{corpus.minutes:.1f}"
        presence = "no" if prepared is None else "yes"
        told = f"{corpus.kind}: {corpus.description} ({corpus.licence})"
        table.add_row(corpus.name, told, " ".join(corpus.languages), minutes, presence)
    Console().print(table)


@app.command("get")
def get(
    name: Annotated[str, typer.Argument(help="Name of the corpus, as `corpus list` shows it.")],
    root: Root = Path("corpora"),
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A .deb file, a folder of .deb files, or a folder with their unpacked content."),
    ] = None,
) -> None:
    """Fetch a corpus and prepare its recordings and manifests; what is there already is kept."""
    from sprachbund.data.corpora.registry import prepare_corpus

    try:
        prepared = prepare_corpus(name, root, source, True)
    except OSError as error:
        raise CorpusError(
            "the corpus cannot be written",
            where=error.filename or root,
            given=error.strerror,
            mend="Check the free space and the permissions; the same command goes on where it stopped.",
        ) from None
    if prepared.was_complete:
        typer.echo(f"{name} is complete in {prepared.folder}; nothing to do.")
        return
    typer.echo(f"{name} is ready in {prepared.folder}")
    for split, counts in prepared.description.get("splits", {}).items():
        typer.echo(f"  {split}: {counts['cuts']} cuts, {counts['minutes']:.2f} minutes, {counts['words']} words")
    if "counts" in prepared.description:
        typer.echo("  " + ", ".join(f"{count} {what}" for what, count in prepared.description["counts"].items()))
    typer.echo(f"Licence: {prepared.description['licence']} ({prepared.folder / 'LICENSE.txt'})")
