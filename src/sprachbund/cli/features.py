"""``sprachbund features MODEL MANIFEST --layer K --out DIR``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.decoding import ThreadsOption, set_threads
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)

MFCC = "mfcc"


@app.command()
def features(
    model: Annotated[str, typer.Argument(help="A model folder, or the word mfcc.")],
    manifest: Annotated[Path, typer.Argument(help="A manifest of cuts.")],
    out: Annotated[Path, typer.Option(help="Folder of the new manifest and of the arrays.")],
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer of the encoder, from 0; again for more layers; or all.")
    ] = None,
    single: Annotated[bool, typer.Option("--float32", help="Keep single precision; else half precision.")] = False,
    threads: ThreadsOption = 0,
) -> None:
    """Store the features of speech as arrays on its cuts; what an interrupted run has stored is kept."""
    from rich.console import Console
    from rich.progress import track

    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.evaluation.frozen_features import FeatureStore, encoder_features, mfcc_features
    from sprachbund.models.features import load_encoder

    set_threads(threads)
    layers, path = parse_layers(model, layer or []), out / manifest.name
    if path.resolve() == manifest.resolve():
        raise RecipeError(
            "the new manifest would take the place of the given one", given=out, mend="Name another folder with --out."
        )
    cuts = read_cuts(manifest)
    layer_features = mfcc_features() if model == MFCC else encoder_features(load_encoder(Path(model)), layers)
    store = FeatureStore(layer_features, out / "arrays", is_single=single)
    console = Console(stderr=True)
    stored = [store.attach(cut) for cut in track(cuts, description="Features", total=len(cuts), console=console)]
    write_cuts(stored, path)
    empty = sum(cut.custom[layer_features.fields[0]].shape[0] == 0 for cut in stored)
    note = f"; {empty} of them are shorter than a frame" if empty else ""
    typer.echo(f"{len(stored)} cuts with {', '.join(layer_features.fields)} in {path}{note}")


def parse_layers(model: str, given: list[str]) -> list[int] | None:
    """The numbers of the layers; None for all of them, and for MFCC.

    Raises:
        RecipeError: none is given for an encoder, one is for MFCC, or one is no number.
    """
    if model == MFCC:
        if given:
            raise RecipeError("MFCC have no layers", given=", ".join(given), mend="Leave --layer out.")
        return None
    if given == ["all"]:
        return None
    if not given or not all(text.isascii() and text.isdigit() for text in given):
        raise RecipeError(
            "the layers are not named by numbers",
            given=", ".join(given) or "none",
            mend="Give --layer 0 for what the first layer reads, --layer 1 for what layer 1 gives, or --layer all.",
        )
    return [int(text) for text in given]
