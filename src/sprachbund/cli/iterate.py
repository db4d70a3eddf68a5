"""``sprachbund tokens iterate RECIPE MANIFEST... --units 100,200 --layer 3 --out DIR``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.units import JobsOption
from sprachbund.errors import RecipeError


def iterate(
    recipe: Annotated[str, typer.Argument(help="Recipe of the task encoder_pretraining; units and speech are set.")],
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="Manifests of the speech to train on.")],
    units: Annotated[str, typer.Option(help="Units of each iteration, such as 100,200; or one number for all.")],
    out: Annotated[Path, typer.Option(help="Folder of the iterations.")],
    iterations: Annotated[
        int | None, typer.Option(min=1, help="Iterations; as many as numbers of units, else.")
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Layer whose states the units of each iteration after the first are of; one or several.")
    ] = "",
    start: Annotated[
        Path | None, typer.Option("--from", help="Model folder that the first iteration reads instead of MFCC.")
    ] = None,
    valid: Annotated[list[Path] | None, typer.Option(help="Manifest of held-out speech; again for more.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the units.")] = 0,
    jobs: JobsOption = 1,
) -> None:
    """Make units, train an encoder on them, make units of its states, and so on; what is finished is kept.

    The same command goes on where an interrupted one stopped.
    """
    from sprachbund.experiments.iterations import IterationPlan
    from sprachbund.experiments.iterations import iterate as run

    sizes = numbers_of(units, iterations, "--units")
    num_layers = len(sizes) - (start is None)
    plan = IterationPlan(
        recipe=recipe,
        overrides=tuple(overrides or ()),
        manifests=tuple(manifests),
        valid=tuple(valid or ()),
        units=sizes,
        layers=numbers_of(layer, num_layers, "--layer") if layer else (),
        start=start,
        seed=seed,
        jobs=jobs,
    )
    for folder in run(plan, out, lambda sentence: typer.echo(sentence, err=True)):
        typer.echo(f"{folder}: units, labelled, run/model")


def numbers_of(text: str, count: int | None, option: str) -> tuple[int, ...]:
    """The numbers in ``100,200``; one alone stands for all `count`.

    Raises:
        RecipeError: the text holds something else, or another count of numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise RecipeError(f"{option} takes whole numbers", given=text, mend="Write for example 100,200.")
    numbers = tuple(map(int, parts))
    if count and len(numbers) == 1:
        return numbers * count
    if count not in (None, len(numbers)):
        mend = "Give one number for all iterations, or one for each."
        raise RecipeError(f"{option} has another number of values", given=f"{text} for {count}", mend=mend)
    return numbers
