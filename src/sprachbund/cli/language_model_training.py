"""``sprachbund lm train RECIPE [a.b=c ...]``."""

from sprachbund.cli.training import OutOption, OverridesArgument, RecipeArgument, ResumeOption, run_recipe


def train(
    recipe: RecipeArgument, overrides: OverridesArgument = None, out: OutOption = None, resume: ResumeOption = False
) -> None:
    """Train a Transformer on lines of text; RECIPE is a file or the name of a shipped recipe."""
    run_recipe("lm train", recipe, overrides, out, resume)
