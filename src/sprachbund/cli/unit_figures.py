"""Verbs that look at units: ``sprachbund tokens quality`` and ``sprachbund tokens show``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.errors import DataError


def quality(
    manifest: Annotated[Path, typer.Argument(help="Manifest with units and an alignment.")],
    model: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Say how much units tell about phones."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from sprachbund.data.storage.manifest import read_cuts
    from sprachbund.evaluation.unit_quality import unit_quality
    from sprachbund.files import write_atomically
    from sprachbund.tokens.phone_labels import load_unit_labels

    units = load_unit_labels(model)
    found = unit_quality(read_cuts(manifest), units)
    if json_file is not None:
        with write_atomically(json_file, "w") as handle:
            handle.write(json.dumps({"units": units.fingerprint, "feature": units.feature, **asdict(found)}, indent=2))
    table = Table("", "with silence", "without")
    sides = (found.with_silence, found.without_silence)
    table.add_row("labels with a phone", *(str(side.labels) for side in sides))
    table.add_row("phone purity", *(f"{side.phone_purity:.4f}" for side in sides))
    table.add_row("cluster purity", *(f"{side.cluster_purity:.4f}" for side in sides))
    table.add_row("PNMI", *(f"{side.phone_normalised_mutual_information:.4f}" for side in sides))
    Console().print(table)
    typer.echo(f"{found.cuts} cuts, {found.labels} labels: {found.unaligned_share:.1%} without a phone")
    typer.echo(f"silence: {found.silence_share:.1%} of those with one")
    typer.echo(f"{found.num_units} units, {found.dead_units} of them dead, entropy {found.unit_entropy:.3f} bits")


def show(
    clip: Annotated[str, typer.Argument(help="Id of a cut.")],
    manifest: Annotated[Path, typer.Option(help="Manifest of the cut, with units or an alignment or both.")],
    out: Annotated[Path | None, typer.Option(help="The PNG to write; CLIP.png where not given.")] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds into the clip where the picture begins.")] = 0.0,
    duration: Annotated[float | None, typer.Option(min=0.05, help="Seconds to show; else all.")] = None,
) -> None:
    """Draw a clip: waveform, spectrogram, units and phones on one time axis."""
    from sprachbund.data.storage.manifest import read_cuts
    from sprachbund.evaluation.unit_plot import plot_clip
    from sprachbund.files import write_atomically

    cut = next((cut for cut in read_cuts(manifest) if cut.id == clip), None)
    if cut is None:
        mend = "Name the id of a cut; `sprachbund info` shows some."
        raise DataError("the manifest has no such cut", where=manifest, given=clip, mend=mend)
    if start >= cut.duration:
        raise DataError("the clip ends before that", given=f"{start} of {cut.duration:.2f} s", mend="Begin earlier.")
    if start or duration is not None:
        length = min(duration or cut.duration, cut.duration - start)
        cut = cut.truncate(offset=start, duration=length, preserve_id=True)
    path = out or Path(f"{clip.replace('/', '_')}.png")
    picture = plot_clip(cut)
    with write_atomically(path) as handle:
        handle.write(picture)
    typer.echo(f"{clip} in {path}")
