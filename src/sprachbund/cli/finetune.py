"""``sprachbund finetune RECIPE [a.b=c ...]``."""

import typer

from sprachbund.cli.training import OutOption, OverridesArgument, RecipeArgument, ResumeOption, run_recipe

app = typer.Typer(add_completion=False)


@app.command()
def finetune(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Fine-tune a model for speech recognition or translation; RECIPE is a file or the name of a shipped recipe."""
    run_recipe("finetune", recipe, overrides, out, resume)
