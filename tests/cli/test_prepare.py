from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from experiments.preparable import phone_plan, unit_plan, use_small_lexicon
from sprachbund.cli.prepare import app
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError, RecipeError
from sprachbund.experiments.preparing.plans import Plan
from sprachbund.tokens.phone_labels import PhoneLabels
from sprachbund.training.recipe import load_recipe


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sources_of(plan: Plan) -> list[object]:
    given = {"speech": plan.sources.speech, "valid": plan.sources.valid, "text": plan.sources.text}
    return [part for name, values in given.items() for value in values for part in (f"--{name}", value)]


@pytest.mark.parametrize("kind", ["speechlm-h", "speechut"])
def test_units_are_prepared_with_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    use_small_lexicon(monkeypatch, tmp_path)
    plan, out = unit_plan(tmp_path, kind), tmp_path / "out"
    models = ("--units", plan.units, "--text-to-unit", plan.text_to_unit)
    done = run(kind, out, *sources_of(plan), *models)
    assert done.exit_code == 0, done.output
    assert done.stdout == (out / "README.md").read_text("utf-8") + f"recipe: {out / 'recipe.yaml'}\n"
    assert "out, units: begins" in done.stderr
    recipe = load_recipe(str(out / "recipe.yaml"), verb="pretrain")
    assert recipe.model.kind == kind.partition("-")[0]  # type: ignore[union-attr]  # of unit pre-training
    other = run(kind, out, *sources_of(plan), *models, "--tokenizer", out / "tokenizer")
    assert isinstance(other.exception, RecipeError)


def test_phones_are_prepared_with_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)
    plan, out = phone_plan(tmp_path), tmp_path / "out"
    paired = ("--paired", plan.sources.paired[0])
    done = run("speechlm-p", out, *sources_of(plan), *paired, "--phone-model", plan.phone_model, "--rate", 50)
    assert done.exit_code == 0, done.output
    assert PhoneLabels.load(out / "units").rate == 50
    assert "the phone model that was given" in done.stdout


def test_held_out_clips_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    plan = unit_plan(tmp_path)
    both = tmp_path / "both.jsonl.gz"
    write_cuts([*read_cuts(plan.sources.speech[0]), *read_cuts(plan.sources.valid[0])], both)
    models = ("--units", plan.units, "--text-to-unit", plan.text_to_unit)
    given = ("--speech", both, "--text", plan.sources.text[0], "--held-out", plan.sources.valid[0])
    done = run("speechut", tmp_path / "out", *given, *models)
    assert isinstance(done.exception, DataError) and "held-out clips" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["--speech", "--text"])
def test_what_must_be_given_is_asked_for(missing: str) -> None:
    given = {"--speech": "a/train.jsonl.gz", "--text": "text.txt"}
    done = run("speechut", "out", *(part for name, value in given.items() if name != missing for part in (name, value)))
    assert done.exit_code == 2 and missing in done.stderr
