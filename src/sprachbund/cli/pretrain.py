"""``sprachbund pretrain RECIPE [a.b=c ...]``."""

import typer

from sprachbund.cli.training import OutOption, OverridesArgument, RecipeArgument, ResumeOption, run_recipe

app = typer.Typer()


@app.command()
def pretrain(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Pre-train a model on speech with units and on text; RECIPE is a file or the name of a shipped recipe."""
    run_recipe("pretraining", recipe, overrides, out, resume)
