"""Verbs of units: fit them on speech, label speech with them."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.throughput import timed

JobsOption = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]


def fit_units(
    manifests: Annotated[
        list[str], typer.Argument(metavar="MANIFEST", help="Manifests or Shar folders of the speech to fit on.")
    ],
    units: Annotated[int, typer.Option(min=1, help="Number of units (clusters).")],
    out: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    model: Annotated[Path | None, typer.Option(help="Model folder of an encoder; without one, MFCC are taken.")] = None,
    layer: Annotated[
        int | None, typer.Option(min=0, help="Layer of the encoder: 0 is what the first layer reads.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the choice of frames and the clustering.")] = 0,
    jobs: JobsOption = 1,
) -> None:
    """Fit k-means units on the MFCC of speech, or on a layer of an encoder."""
    from lhotse import CutSet

    from sprachbund.data.storage.shar import read_speech
    from sprachbund.data.units import fit_units as fit
    from sprachbund.models.stored_features import reader_of

    reader = reader_of(model, layer)
    cuts = CutSet.from_cuts([cut for manifest in manifests for cut in read_speech(manifest)])
    with timed("fitted on", cuts):
        fitted = fit(cuts, units, reader=reader, seed=seed, jobs=jobs)
    fitted.save(out)
    told = f"{fitted.num_units} units of {fitted.feature} of {len(cuts)} cuts in {out}"
    typer.echo(f"{told}, fingerprint {fitted.fingerprint[:16]}")


def label(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the speech to label.")],
    model: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    out: Annotated[Path, typer.Option(help="Manifest of the labelled speech.")],
    encoder: Annotated[
        Path | None, typer.Option(help="Model folder of the encoder that the unit model was fitted on; none for MFCC.")
    ] = None,
    arrays: Annotated[
        Path | None, typer.Option(help="Folder of the stored units; 'units' beside the new manifest where not given.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="NUMBER/COUNT", help="Label this part only, such as 3/8; for many machines.")
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Assign units to speech; units stored by an interrupted run or by other shards are kept.

    Shards may run at the same time. The one that finds all units stored writes the manifest; so does the same command
    without --shard, once the arrays of all shards are in one folder.
    """
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.data.units import Shard, attach_units, find_units, num_labels
    from sprachbund.models.stored_features import reader_for
    from sprachbund.tokens.units import UnitModel

    part = None if shard is None else Shard.parse(shard)
    unit_model, cuts, folder = UnitModel.load(model), read_cuts(manifest), arrays or out.parent / "units"
    wanted = cuts if part is None else part.of(cuts)
    reader = reader_for(unit_model, encoder)
    with timed("labelled", wanted):
        labelled = attach_units(wanted, unit_model, folder, reader=reader, jobs=jobs)
    if part is not None:
        typer.echo(f"shard {part}: {len(labelled)} of {len(cuts)} cuts have units in {folder}")
        whole = find_units(cuts, unit_model, folder)
        if whole is None:
            typer.echo(f"{out} is written when the other shards are done")
            return
        labelled = whole
    write_cuts(labelled, out)
    empty = sum(num_labels(cut) == 0 for cut in labelled)
    note = f"; {empty} of them are shorter than a frame and have no unit" if empty else ""
    typer.echo(f"{len(labelled)} cuts with {unit_model.num_units} units in {out}{note}")
