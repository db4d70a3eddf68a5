"""Verbs of corpora: list them, get them, take a part, import those of other tools, export to other tools."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sprachbund.errors import CorpusError

app = typer.Typer(
    add_completion=False, help="List the corpora and get them; import and export others.", no_args_is_help=True
)

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
    shard: Annotated[
        str | None, typer.Option(help="Only this part of the recordings, such as 2/8; the last call has none.")
    ] = None,
) -> None:
    """Fetch a corpus and prepare its recordings and manifests; what is there already is kept.

    Shards may run at the same time, on machines that share the folder; the same command without --shard then writes
    the manifests.
    """
    from sprachbund.data.corpora.registry import prepare_corpus, prepare_shard
    from sprachbund.data.units import Shard

    try:
        if shard is not None:
            part = Shard.parse(shard)
            done = prepare_shard(name, root, (part.number - 1, part.count), source, True)
            told = "nothing to do" if done.was_complete else f"{done.num_recordings} recordings are there"
            typer.echo(f"{name}, shard {part}: {told} in {done.folder}")
            return
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
    for remark in prepared.description.get("remarks", ()):
        typer.echo(f"  {remark}")
    typer.echo(f"Licence: {prepared.description['licence']} ({prepared.folder / 'LICENSE.txt'})")


@app.command("formats")
def list_formats() -> None:
    """Show the formats that `corpus import` reads and `corpus export` writes."""
    from sprachbund.data.exporters.registry import EXPORT_FORMATS
    from sprachbund.data.importers.registry import IMPORT_FORMATS

    for row in IMPORT_FORMATS.values():
        typer.echo(f"import {row.name:<14}{row.description}")
    for name, description in EXPORT_FORMATS.items():
        typer.echo(f"export {name:<14}{description}")


@app.command("import")
def import_(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="As `corpus formats` shows it.")],
    source: Annotated[str, typer.Argument(help="The file or folder, or a name of the Hugging Face hub.")],
    out: Annotated[Path, typer.Option(help="Folder of the manifests.")],
    split: Annotated[list[str] | None, typer.Option(help="Only this split; may be given again.")] = None,
    language: Annotated[str | None, typer.Option(help="Of the texts, such as de, where the source is silent.")] = None,
    copy: Annotated[bool, typer.Option(help="Copy the recordings below --out; else they stay where they are.")] = False,
    manifest: Annotated[Path | None, typer.Option(help="Whose clips the alignments are of (ctm, textgrid).")] = None,
    text_column: Annotated[str | None, typer.Option(help="Name of the column of texts (huggingface).")] = None,
) -> None:
    """Make manifests of a corpus in the form of another tool, and tell what was left out."""
    from sprachbund.data.importers.registry import import_corpus
    from sprachbund.data.importers.utterances import Request

    request = Request(
        source=source,
        out=out,
        splits=tuple(dict.fromkeys(split or ())),
        language=language,
        is_copied=copy,
        manifest=manifest,
        text_column=text_column,
    )
    for report in import_corpus(format_name, request):
        typer.echo(f"{report.split}: {report.counts} in {report.path}")
        for note in report.notes:
            typer.echo(f"  {note}")


@app.command("subset")
def subset(
    manifest: Annotated[Path, typer.Argument(help="Manifest of cuts.")],
    minutes: Annotated[float, typer.Option(min=0.0, help="Of speech, at most.")],
    out: Annotated[Path, typer.Option(help="The manifest to write.")],
) -> None:
    """Choose some minutes of a manifest by a hash of the clips' ids: the same ones everywhere, fewer within more."""
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.data.subset import chosen_cuts

    if out.resolve() == manifest.resolve():
        raise CorpusError("a subset would replace what it is of", where=out, mend="Give --out another name.")
    cuts = list(read_cuts(manifest))
    chosen = chosen_cuts(cuts, minutes)
    write_cuts(chosen, out)
    heard, all_heard = (sum(cut.duration for cut in each) / 60 for each in (chosen, cuts))
    typer.echo(f"{len(chosen)} of {len(cuts)} clips, {heard:.2f} of {all_heard:.2f} minutes in {out}")


@app.command("export")
def export(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="As `corpus formats` shows it.")],
    manifests: Annotated[list[Path], typer.Argument(help="Manifests of cuts.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    shard_size: Annotated[int, typer.Option(min=1, help="Cuts of a shard (shar).")] = 1000,
) -> None:
    """Write manifests, their recordings and their units in the form of another tool."""
    from sprachbund.data.exporters.registry import export_corpus

    typer.echo(f"{export_corpus(format_name, manifests, out, shard_size)} in {out}")
