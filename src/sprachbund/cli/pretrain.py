"""``sprachbund pretrain RECIPE [a.b=c ...]``."""

import typer

from sprachbund.cli.training import OutOption, OverridesArgument, RecipeArgument, ResumeOption, run_recipe

app = typer.Typer(add_completion=False)


@app.command()
def pretrain(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Pre-train a model on speech, or on speech and text; RECIPE is a file or the name of a shipped recipe."""
    run_recipe("pretrain", recipe, overrides, out, resume)
