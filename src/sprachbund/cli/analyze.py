"""``sprachbund analyze agreement|layers|models``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.decoding import ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.errors import DataError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look into models of speech and units.")

Manifests = list[str]
_DRAWN_SECONDS = 2.5  # a clip of this length fills a picture and can still be read


class Format(StrEnum):
    """What a table is written as."""

    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, kw_only=True)
class SpeechAndUnits:
    """What is looked at, and by which model."""

    model: Annotated[Path, typer.Argument(help="Folder of a SpeechLM or SpeechUT that was pre-trained.")]
    manifests: Annotated[Manifests, typer.Argument(help="Manifests with units and an alignment.")]
    units: Annotated[Path, typer.Option(help="Folder of the unit model or the phone labels of that training.")]
    out: Annotated[Path, typer.Option(help="Folder of the figures and pictures.")]
    aligned: Annotated[
        Manifests | None, typer.Option(help="Manifest with the alignments of the same clips, where they have none.")
    ] = None
    clips: Annotated[int, typer.Option(min=2, help="At most so many, chosen by their ids.")] = 200
    reduced: Annotated[
        bool | None, typer.Option("--reduced/--repeated", help="Read runs of equal units as one; SpeechUT's usual way.")
    ] = None
    threads: ThreadsOption = 0


@app.command()
@takes_options
def agreement(
    given: SpeechAndUnits,
    clip: Annotated[str | None, typer.Option(help="Id of the clip to draw; else one of medium length.")] = None,
) -> None:
    """Say at how many frames the states of a clip's speech and of its units agree on the phone; draw one clip."""
    from dataclasses import asdict

    from sprachbund.evaluation.analyses.agreement import measure_agreement
    from sprachbund.evaluation.analyses.agreement_picture import draw_agreement

    shared, chosen = _load(given)
    shown = shared.read(_clip_to_draw(chosen, clip))
    found = measure_agreement(shared, chosen)
    layers = {layer: {group: asdict(one) for group, one in groups.items()} for layer, groups in found.items()}
    picture = draw_agreement(
        shown, shared.speech_states(shown)[-1], shared.unit_states(shown)[-1], title=f"{shown.id}, layer {max(found)}"
    )
    _write(given, chosen, {"reduced": shared.is_reduced, "layers": layers}, "agreement", {"agreement.png": picture})
    _print_agreement(found)
    typer.echo(f"{len(chosen.cuts)} clips; figures and picture in {given.out}")


@app.command()
@takes_options
def layers(
    given: SpeechAndUnits,
    points: Annotated[int, typer.Option(min=20, max=20_000, help="States of each side in a picture.")] = 800,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the choice of states and of t-SNE.")] = 0,
) -> None:
    """Draw states of speech and of units of other clips after each shared layer, and say how far they are one space."""
    from dataclasses import asdict

    from sprachbund.evaluation.analyses.layer_map import measure_layer, project, sample_points
    from sprachbund.evaluation.analyses.layer_picture import draw_layer

    shared, chosen = _load(given)
    sampled = sample_points(shared, chosen, points, seed)
    found = {layer: measure_layer(states) for layer, states in sampled.items()}
    pictures = {
        f"layer_{layer:02d}.png": draw_layer(states, project(states, seed), title=f"layer {layer}")
        for layer, states in sampled.items()
    }
    plain = {"reduced": shared.is_reduced, "layers": {layer: asdict(one) for layer, one in found.items()}}
    _write(given, chosen, {**plain, "seed": seed}, "layers", pictures)
    _print_layers(found)
    typer.echo(f"{len(chosen.cuts)} clips; figures and {len(pictures)} pictures in {given.out}")


@app.command()
def models(
    form: Annotated[Format, typer.Option("--format", help="What to write the table as.")] = Format.MARKDOWN,
    out: Annotated[Path | None, typer.Option(help="File to write; standard output where not given.")] = None,
) -> None:
    """Compare the models of the package: sizes, data, objectives, outside supervision."""
    from sprachbund.experiments.model_comparison import compare_models, to_csv, to_json, to_markdown
    from sprachbund.files import write_atomically

    write = {Format.MARKDOWN: to_markdown, Format.CSV: to_csv, Format.JSON: to_json}[form]
    table = write(compare_models())
    if out is None:
        typer.echo(table, nl=False)
        return
    with write_atomically(out, "w") as handle:
        handle.write(table)
    typer.echo(f"table in {out}")


def _load(given: SpeechAndUnits) -> tuple[Any, Any]:
    """The model, and the cuts that it can look at."""
    from sprachbund.data.storage.shar import read_speech
    from sprachbund.evaluation.analyses.clips import SharedTransformer, with_alignments
    from sprachbund.tokens.phone_labels import load_unit_labels

    set_threads(given.threads)
    shared = SharedTransformer.load(given.model, load_unit_labels(given.units), given.reduced)
    cuts = [cut for manifest in given.manifests for cut in read_speech(manifest)]
    if given.aligned:
        cuts = with_alignments(cuts, [cut for manifest in given.aligned for cut in read_speech(manifest)])
    return shared, shared.choose(cuts, given.clips)


def _clip_to_draw(chosen: Any, wanted: str | None) -> Any:
    """The clip of that id; else the one whose length is nearest to what a picture shows well."""
    if wanted is None:
        return min(chosen.cuts, key=lambda cut: (abs(cut.duration - _DRAWN_SECONDS), cut.id))
    cut = next((cut for cut in chosen.cuts if cut.id == wanted), None)
    if cut is None:
        mend = "Name one of them, or look at more with --clips."
        raise DataError("the clip is none of those that are analysed", given=wanted, mend=mend)
    return cut


def _write(
    given: SpeechAndUnits, chosen: Any, figures: Mapping[str, Any], name: str, pictures: Mapping[str, bytes]
) -> None:
    """The figures with what they are of, and the pictures, in the folder of the results."""
    import json

    from sprachbund.files import write_atomically

    of = {"model": str(given.model), "units": str(given.units), "manifests": given.manifests, "clips": len(chosen.cuts)}
    with write_atomically(given.out / f"{name}.json", "w") as handle:
        handle.write(json.dumps({**of, "left_out": dict(chosen.left_out), **figures}, indent=2) + "\n")
    for file, picture in pictures.items():
        with write_atomically(given.out / file) as handle:
            handle.write(picture)


def _print_agreement(found: Any) -> None:
    rows = [
        (
            str(layer),
            group,
            str(one.frames),
            f"{one.share:.1%}",
            f"{one.low:.1%} to {one.high:.1%}",
            f"{one.chance:.1%}",
            f"{one.exchanged:.1%}",
        )
        for layer, groups in found.items()
        for group, one in groups.items()
    ]
    _print(("layer", "frames of", "number", "agree", "95 %", "by chance", "halves exchanged"), rows)


def _print_layers(found: Any) -> None:
    rows = [
        (
            str(layer),
            f"{one.mixing:.1%} ({one.mixing_expected:.1%})",
            f"{one.phone_agreement:.1%} ({one.phone_chance:.1%})",
            f"{one.silhouette_phone:+.3f}",
            f"{one.silhouette_side:+.3f}",
        )
        for layer, one in found.items()
    ]
    headings = ("layer", "neighbours of the other side (expected)", "same phone (by chance)")
    _print((*headings, "silhouette by phone", "by side"), rows)


def _print(headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
