from pathlib import Path

import pytest

import translated
from commands import run_command
from sprachbund.config import from_mapping
from sprachbund.evaluation.translation import load_translations
from sprachbund.training.speech_recipes import TranslationRecipe
from training.runs import assert_resumed_exactly, figures, trained


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_a_run_tells_scores_and_makes_what_translates(tmp_path: Path, kind: str):
    init = translated.write_pretrained(tmp_path / "pretrained", kind)
    plain = translated.translation_recipe(tmp_path, kind, init, steps=2)
    stored = trained(from_mapping(TranslationRecipe, plain, "test"), tmp_path / "run")
    assert (stored.kind, stored.facts["stage"], stored.facts["target"]) == (kind, "translation", "de")
    assert stored.tokenizer is not None and stored.tokenizer.vocabulary == translated.german().vocabulary
    assert "sprachbund translate" in (tmp_path / "run" / "model" / "README.md").read_text("utf-8")
    [valid] = [line for line in figures(tmp_path / "run") if line["split"] == "valid"]
    assert 0 <= valid["bleu"] <= 100 and 0 <= valid["chrf"] <= 100 and "wer" not in valid
    out = tmp_path / "de.json"
    model, manifest = tmp_path / "run" / "model", plain["speech"]["valid"][0]
    options = ("--target", "de", "--beam", 1, "--out", out)
    assert run_command("evaluate", "translation", model, manifest, *options).code == 0
    assert [each.id for each in load_translations(out).utterances] == ["valid-000", "valid-001"]


@pytest.mark.slow
def test_a_killed_run_is_resumed_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plain = translated.translation_recipe(tmp_path, "speechut", checkpoint_every=2)
    plain["speech"]["valid"] = []
    assert_resumed_exactly(from_mapping(TranslationRecipe, plain, "test"), tmp_path, monkeypatch)
