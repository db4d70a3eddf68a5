"""``sprachbund tokens align MANIFEST --out ALIGNED``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.throughput import timed
from sprachbund.cli.units import JobsOption


def align(
    manifest: Annotated[Path, typer.Argument(help="Manifest of English speech with transcripts.")],
    out: Annotated[Path, typer.Option(help="Manifest with the alignments.")],
    jobs: JobsOption = 1,
) -> None:
    """Find the words and phones of English transcripts in time; what cannot be aligned is kept as it is."""
    from sprachbund.data.alignment import Outcome, align_cuts
    from sprachbund.data.phones import PHONE, SILENCE, items_of
    from sprachbund.data.storage.manifest import read_cuts, write_cuts

    cuts = read_cuts(manifest)
    with timed("aligned", cuts):
        done = align_cuts(cuts, jobs=jobs)
    write_cuts(done.cuts, out)
    phones = [item.duration for cut in done.cuts for item in items_of(cut, PHONE) if item.symbol != SILENCE]
    mean = f", {len(phones)} phones of {1000 * sum(phones) / len(phones):.0f} ms on average" if phones else ""
    num_aligned = done.outcomes[Outcome.ALIGNED]
    typer.echo(f"{num_aligned} of {done.outcomes.total()} transcripts aligned{mean}, in {out}")
    for outcome, count in sorted(done.outcomes.items()):
        if outcome is not Outcome.ALIGNED:
            typer.echo(f"{count} {outcome}")
    if done.guessed_words:
        num_words = done.guessed_words.total()
        typer.echo(f"{num_words} words ({len(done.guessed_words)} different) are in no dictionary: read off letters")
