"""What the verbs that train share: their arguments, and the run itself."""

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[str, typer.Argument(help="A recipe file, or the name of a shipped recipe.")]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[a.b=c]...", help="Values of the recipe to change.")
]
OutOption = Annotated[Path | None, typer.Option(help="Folder of the run; runs/RECIPE where not given.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in the folder.")]


def run_recipe(verb: str, recipe: str, overrides: list[str] | None, out: Path | None, resume: bool) -> Path:
    """Read the recipe, then train it; return the model folder."""
    from sprachbund.training.recipe import load_recipe

    # The recipe is checked before the training stack is loaded, which takes seconds.
    resolved = load_recipe(recipe, tuple(overrides or ()), verb=verb)
    from sprachbund.training.run import train

    model = train(resolved, out or Path("runs") / Path(recipe).stem, resume=resume)
    typer.echo(f"model folder: {model}")
    return model
