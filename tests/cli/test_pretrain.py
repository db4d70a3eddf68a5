from pathlib import Path

import pytest

import tiny
from commands import run_command
from sprachbund.checkpoints.store import load_model
from sprachbund.config import dump_yaml


def test_a_recipe_file_becomes_a_model_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    recipe = tiny.pretraining_recipe(tmp_path / "data", steps=2, log_every=2)
    Path("mine.yaml").write_text(dump_yaml(recipe))
    outcome = run_command("pretrain", "mine.yaml", "run.seed=5")
    assert outcome.code == 0, outcome.err
    assert outcome.out == "model folder: runs/mine/model\n"
    stored = load_model(Path("runs/mine/model"))
    assert (stored.facts["stage"], stored.facts["steps"]) == ("pretraining", 2)
    assert stored.facts["unit_model"] == tiny.unit_model().fingerprint
    assert stored.recipe is not None
    assert "seed: 5" in stored.recipe
    told = run_command("info", "runs/mine")
    assert "finished" in told.out
    assert "sound" in told.out
