from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.iterate import numbers_of
from sprachbund.cli.tokens import app
from sprachbund.errors import RecipeError
from sprachbund.models.features import load_encoder
from sprachbund.tokens.units import UnitModel


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_two_iterations_with_one_command(tmp_path: Path) -> None:
    recipe, out = tmp_path / "recipe.yaml", tmp_path / "out"
    recipe.write_text(yaml.safe_dump(tiny.encoder_recipe(tmp_path / "unused")), "utf-8")
    speech = tiny.write_corpus(tmp_path / "speech", 6)
    options = ("--iterations", 2, "--units", "5,7", "--layer", 2, "--set", "run.steps=1", "--out", out)
    done = run("iterate", recipe, speech, *options)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"{out / f'iteration-{n}'}: units, labelled, run/model" for n in (1, 2)]
    first, second = (UnitModel.load(out / f"iteration-{n}" / "units") for n in (1, 2))
    assert (first.num_units, first.feature) == (5, "mfcc")
    assert (second.num_units, second.feature[-2:]) == (7, ":2")
    assert load_encoder(out / "iteration-2" / "run" / "model").config.num_units == 7 + 4
    again = run("iterate", recipe, speech, *options)
    assert again.stderr.count("already there") == 6
    other = run("iterate", recipe, speech, *options[:-4], "--set", "run.steps=2", "--out", out)
    assert isinstance(other.exception, RecipeError)


def test_numbers_are_one_for_all_or_one_for_each() -> None:
    assert numbers_of("100,200", None, "--units") == (100, 200)
    assert numbers_of("100", 3, "--units") == (100, 100, 100)
    assert numbers_of(" 1, 2", 2, "--layer") == (1, 2)


@pytest.mark.parametrize(("text", "count"), [("1,2", 3), ("1,x", None), ("", None), ("-1", None), ("3", 0), ("²", 1)])
def test_other_texts_are_refused(text: str, count: int | None) -> None:
    with pytest.raises(RecipeError, match="--units"):
        numbers_of(text, count, "--units")


def test_plans_that_cannot_be_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = run("iterate", "hubert_tiny_mfcc", "a.jsonl.gz", "--units", "4,4", "--out", tmp_path / "out")
    assert isinstance(done.exception, RecipeError)
    assert not (tmp_path / "out").exists()
