import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sprachbund.cli.training import run_recipe
from sprachbund.errors import RecipeError
from sprachbund.training.speech_recipes import PretrainingRecipe, RecognitionRecipe


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, Path, bool]]:
    """What was asked of the training, which itself does nothing."""
    calls: list[tuple[Any, Path, bool]] = []

    def train(recipe: Any, folder: Path, *, resume: bool) -> Path:
        calls.append((recipe, folder, resume))
        return folder / "model"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "sprachbund.training.run", SimpleNamespace(train=train))  # type: ignore[arg-type]
    return calls


def test_the_recipe_is_resolved_and_its_name_names_the_run(
    trained: list[tuple[Any, Path, bool]], capsys: pytest.CaptureFixture[str]
):
    run_recipe("finetune", "speecht5_tiny_asr", ["run.seed=7", "speech.batch_seconds=3"], None, False)
    ((recipe, folder, resume),) = trained
    assert isinstance(recipe, RecognitionRecipe)
    assert (recipe.run.seed, recipe.speech.batch_seconds) == (7, 3.0)
    assert (folder, resume) == (Path("runs/speecht5_tiny_asr"), False)
    assert capsys.readouterr().out == "model folder: runs/speecht5_tiny_asr/model\n"


def test_a_file_its_folder_and_resuming(trained: list[tuple[Any, Path, bool]]):
    Path("deep").mkdir()
    Path("deep/mine.yaml").write_text("extends: speecht5_tiny_pretrain\nrun: {seed: 9}\n")
    run_recipe("pretrain", "deep/mine.yaml", None, Path("there"), True)
    run_recipe("pretrain", "deep/mine.yaml", None, None, False)
    assert [(folder, resume) for _, folder, resume in trained] == [(Path("there"), True), (Path("runs/mine"), False)]
    assert isinstance(trained[0][0], PretrainingRecipe)
    assert trained[0][0].run.seed == 9


@pytest.mark.parametrize(
    ("given", "recipe", "verb"),
    [
        ("finetune", "speecht5_tiny_pretrain", "pretrain"),
        ("finetune", "hubert_tiny_mfcc", "pretrain"),
        ("pretrain", "speecht5_tiny_asr", "finetune"),
    ],
)
def test_a_recipe_of_the_other_task_names_its_verb(
    trained: list[tuple[Any, Path, bool]], given: str, recipe: str, verb: str
):
    with pytest.raises(RecipeError, match=f"recipe of the task .* in {recipe}.*Use `sprachbund {verb}`"):
        run_recipe(given, recipe, None, None, False)
    assert trained == []
    assert not Path("runs").exists()
