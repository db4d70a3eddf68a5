"""``sprachbund prepare speechlm-p | speechlm-h | speechut OUT --speech MANIFEST --paired MANIFEST --text FILE``."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sprachbund.cli.options import takes_options
from sprachbund.cli.units import JobsOption

app = typer.Typer(
    add_completion=False, help="Make of a corpus and text what SpeechLM or SpeechUT trains on.", no_args_is_help=True
)

UnitKind = Literal["speechlm-h", "speechut"]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="Folder of what is made, its recipe.yaml too.")]


class ModelSize(StrEnum):
    """Sizes of recipes."""

    TINY = "tiny"
    SMALL = "small"
    BASE = "base"
    LARGE = "large"


@dataclass(frozen=True)
class CommonOptions:
    """What all three take."""

    speech: Annotated[
        list[Path],
        typer.Option(metavar="MANIFEST", help="Speech to pre-train on, not its transcripts; again for more."),
    ]
    text: Annotated[
        list[str], typer.Option(metavar="SOURCE", help="English text: a file, a line store ...; again for more.")
    ]
    paired: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST", help="The little speech whose transcripts are read; again for more."),
    ] = None
    valid: Annotated[
        list[Path] | None, typer.Option(metavar="MANIFEST", help="Held-out speech to validate on; again for more.")
    ] = None
    held_out: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST", help="Further speech that no line of the text may say; again for more."),
    ] = None
    size: Annotated[ModelSize, typer.Option(help="Of the model that is to be trained.")] = ModelSize.TINY
    tokenizer: Annotated[Path | None, typer.Option(help="Folder of a tokenizer; else one of letters is made.")] = None
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe of the model made of the paired speech."),
    ] = None
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of units, silences and durations.")] = 0
    jobs: JobsOption = 1


@dataclass(frozen=True)
class UnitOptions:
    """What the two of hidden units take."""

    units: Annotated[Path | None, typer.Option(help="Folder of a unit model; else one is fitted on the speech.")] = None
    num_units: Annotated[int, typer.Option(min=1, help="Units of the one that is fitted.")] = 500
    encoder: Annotated[
        Path | None, typer.Option(help="Model folder of the encoder that the units are of; without one, MFCC.")
    ] = None
    layer: Annotated[int | None, typer.Option(min=0, help="Layer of the encoder, for units that are fitted.")] = None
    text_to_unit: Annotated[
        Path | None, typer.Option(help="Model folder of tokens train-t2u; else one is trained on the paired speech.")
    ] = None
    recipe: Annotated[str, typer.Option(help="Recipe of the text-to-unit model that is trained.")] = "text_to_unit_tiny"


@dataclass(frozen=True)
class PhoneOptions:
    """What that of phones takes."""

    phone_model: Annotated[
        Path | None, typer.Option(help="Folder of a phone model; else one is trained on the paired speech.")
    ] = None
    recipe: Annotated[str, typer.Option(help="Recipe of the phone model that is trained.")] = "hubert_tiny_phones"
    encoder: Annotated[
        Path | None, typer.Option(help="Model folder that the phone model begins with; else with random weights.")
    ] = None
    decode: Annotated[bool, typer.Option("--decode", help="Let PocketSphinx decode phones, without a phone model.")] = (
        False
    )
    word_positions: Annotated[
        bool, typer.Option("--word-positions", help="Tell phones apart by their place in the word.")
    ] = False
    rate: Annotated[int, typer.Option(help="Phone labels a second: 100, 50 or 25.")] = 100


@app.command("speechlm-p")
@takes_options
def speechlm_p(out: Out, options: CommonOptions, own: PhoneOptions) -> None:
    """Phones of all speech and of text, for SpeechLM-P; the same command goes on where it stopped."""
    from sprachbund.experiments.preparing.plans import PhonePlan

    _prepare(PhonePlan(**_common(options), **vars(own)), out)


@app.command("speechlm-h")
@takes_options
def speechlm_h(out: Out, options: CommonOptions, own: UnitOptions) -> None:
    """Hidden units of all speech and of text, for SpeechLM-H; the same command goes on where it stopped."""
    _prepare_units("speechlm-h", out, options, own)


@app.command("speechut")
@takes_options
def speechut(out: Out, options: CommonOptions, own: UnitOptions) -> None:
    """Hidden units of all speech, reduced ones of text, for SpeechUT; the same command goes on where it stopped."""
    _prepare_units("speechut", out, options, own)


def _prepare_units(kind: UnitKind, out: Path, options: CommonOptions, own: UnitOptions) -> None:
    from sprachbund.experiments.preparing.plans import UnitPlan

    _prepare(UnitPlan(kind=kind, **_common(options), **vars(own)), out)


def _common(options: CommonOptions) -> dict[str, Any]:
    """The fields of every plan."""
    from sprachbund.experiments.preparing.plans import Sources

    sources = Sources(
        speech=tuple(options.speech),
        text=tuple(options.text),
        paired=tuple(options.paired or ()),
        valid=tuple(options.valid or ()),
        held_out=tuple(options.held_out or ()),
    )
    return {
        "sources": sources,
        "size": options.size.value,
        "tokenizer": options.tokenizer,
        "overrides": tuple(options.overrides or ()),
        "seed": options.seed,
        "jobs": options.jobs,
    }


def _prepare(plan: Any, out: Path) -> None:
    from sprachbund.experiments.preparing.prepare import prepare

    recipe = prepare(plan, out, lambda sentence: typer.echo(sentence, err=True))
    typer.echo((out / "README.md").read_text("utf-8"), nl=False)
    typer.echo(f"recipe: {recipe}")
