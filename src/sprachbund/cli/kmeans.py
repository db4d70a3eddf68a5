"""Verbs that exchange unit models with HuBERT's scripts: ``sprachbund tokens import-km`` and ``export-km``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.errors import VocabularyError


def import_km(
    file: Annotated[Path, typer.Argument(help="A .km file: a k-means of scikit-learn, written by joblib.")],
    out: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    encoder: Annotated[Path | None, typer.Option(help="Model folder whose layer it was fitted on.")] = None,
    layer: Annotated[int, typer.Option(min=0, help="That layer; 0 is what the first one reads.")] = 0,
    feature: Annotated[str, typer.Option(help="Name of the features, where there is no such folder.")] = "mfcc",
    frame_shift: Annotated[float, typer.Option(help="Seconds between two frames of theirs.")] = 0.01,
) -> None:
    """Make a unit model of a .km file; nothing in it is executed."""
    from sprachbund.tokens.kmeans_files import read_kmeans_file

    num_channels = None
    if encoder is not None:
        from sprachbund.models.features import EncoderFeatures, load_encoder

        features = EncoderFeatures(load_encoder(encoder), layer)
        feature, frame_shift, num_channels = features.name, features.frame_shift, features.num_channels
    model = read_kmeans_file(file, feature=feature, frame_shift=frame_shift)
    if num_channels not in (None, model.num_channels):
        raise VocabularyError(
            "the centroids are not of this encoder",
            where=file,
            given=f"{model.num_channels} channels, the encoder has {num_channels}",
            mend="Name the encoder whose states the k-means was fitted on.",
        )
    model.save(out)
    told = f"{model.num_units} units of {model.num_channels} channels"
    typer.echo(f"{told} of '{feature}' in {out}, fingerprint {model.fingerprint[:16]}")


def export_km(
    model: Annotated[Path, typer.Argument(help="Folder of a unit model.")],
    out: Annotated[Path, typer.Option(help="The .km file to write.")],
) -> None:
    """Write a unit model as a .km file, which joblib loads as a MiniBatchKMeans of scikit-learn."""
    from sprachbund.tokens.kmeans_files import write_kmeans_file
    from sprachbund.tokens.units import UnitModel

    units = UnitModel.load(model)
    write_kmeans_file(units, out)
    typer.echo(f"{units.num_units} units in {out}")
