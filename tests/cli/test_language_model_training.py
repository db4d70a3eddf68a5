from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from language_text import language_recipe
from sprachbund.checkpoints.store import load_model
from sprachbund.cli.language_model_training import train
from sprachbund.config import dump_yaml
from sprachbund.errors import RecipeError
from sprachbund.training.recipe import load_recipe

app = typer.Typer(add_completion=False)
app.command()(train)


def test_a_recipe_becomes_a_model_folder(tmp_path: Path) -> None:
    plain = language_recipe(tmp_path, steps=2, validate_every=2, checkpoint_every=2)
    (tmp_path / "recipe.yaml").write_text(dump_yaml(plain), "utf-8")
    out = tmp_path / "run"
    result = CliRunner().invoke(app, [str(tmp_path / "recipe.yaml"), "run.seed=9", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"model folder: {out / 'model'}"
    stored = load_model(out / "model")
    assert stored.kind == "language_model" and stored.tokenizer is not None
    assert stored.recipe is not None and "seed: 9" in stored.recipe
    again = CliRunner().invoke(app, [str(tmp_path / "recipe.yaml"), "run.seed=9", "--out", str(out)])
    assert isinstance(again.exception, RecipeError) and "holds a run already" in str(again.exception)


def test_a_recipe_of_another_task_is_refused() -> None:
    result = CliRunner().invoke(app, ["g2p_tiny"])
    assert isinstance(result.exception, RecipeError)
    assert "Use `sprachbund tokens train-g2p`" in str(result.exception)


@pytest.mark.parametrize("name", ["language_model_tiny", "language_model_base"])
def test_other_verbs_refuse_its_recipes(name: str) -> None:

    with pytest.raises(RecipeError, match="Use `sprachbund lm train`"):
        load_recipe(name, verb="pretrain")
