"""Real runs of language models, from recipe to model folder: killed and resumed, split and in company."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from language_text import language_recipe
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.table import build_language_model
from sprachbund.training.text_recipes import LanguageModelRecipe
from training.processes import farthest, run, run_together, write_recipe
from training.processes import trained as trained_weights
from training.runs import assert_resumed_exactly, figures, trained


def recipe_of(folder: Path, **run: Any) -> LanguageModelRecipe:
    return from_mapping(LanguageModelRecipe, language_recipe(folder, **run), "test")


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, with two micro-batches a step; killed in the fourth step, it goes on from the second."""
    recipe = recipe_of(tmp_path, steps=4, accumulate=2, checkpoint_every=2, validate_every=2)
    whole = assert_resumed_exactly(recipe, tmp_path, monkeypatch)
    model = build_language_model(whole, "test")
    assert whole.tokenizer is not None and len(whole.tokenizer.vocabulary) == model.config.vocab_size
    assert whole.facts["steps"] == 4
    assert "Language model" in whole.card
    curve = [line["loss"] for line in figures(tmp_path / "whole") if line["split"] == "train"]
    assert len(set(curve)) == 4
    held_out = [line for line in figures(tmp_path / "whole") if line["split"] == "valid"]
    assert [line["step"] for line in held_out] == [2, 4]
    assert held_out[0]["bits_per_token"] * math.log(2) == pytest.approx(held_out[0]["loss"], rel=1e-4)


def test_a_run_does_not_go_on_with_other_text(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, steps=2, checkpoint_every=2)
    trained(recipe, tmp_path / "run")
    with Path(recipe.text.train[0]).open("a", encoding="utf-8") as handle:
        handle.write("one more\n")
    with pytest.raises(RecipeError, match=r"has changed since it began in .*text\.txt"):
        trained(from_mapping(LanguageModelRecipe, _longer(recipe), "test"), tmp_path / "run", resume=True)


def _longer(recipe: LanguageModelRecipe) -> dict[str, Any]:
    return merge(to_mapping(recipe), {"run": {"steps": 3}})


def test_text_is_learned(tmp_path: Path) -> None:
    """At a rate that eighty steps suffice for, lines of a few words are foretold far better at the end."""
    plain = language_recipe(tmp_path, steps=80, log_every=20, validate_every=80, checkpoint_every=80)
    plain["optimization"]["schedule"] = {"kind": "tri_stage", "peak": 1e-2, "total_steps": 80}
    stored = trained(from_mapping(LanguageModelRecipe, plain, "test"), tmp_path / "run")
    bits = [line["bits_per_token"] for line in figures(tmp_path / "run") if line["split"] == "train"]
    assert bits[-1] < bits[0] - 0.7
    model = build_language_model(stored, "test")
    assert stored.tokenizer is not None
    # After "be" an "a" is foretold rather than a "c": there is a bead, and no bec.
    ids = torch.tensor([[2, *stored.tokenizer.encode("be")]])
    with torch.no_grad():
        after = model.predict_next(ids)[0, -1]
    likely, unlikely = (after[stored.tokenizer.vocabulary.id_of(letter)] for letter in "ac")
    assert likely > unlikely


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_what_one_does(strategy: str, tmp_path: Path) -> None:
    plain = language_recipe(tmp_path, accumulate=4, threads=1)
    words = ("lm", "train", write_recipe(tmp_path / "recipe.yaml", plain), "--out")
    assert run(tmp_path / "log", *words, tmp_path / "one") == 0, (tmp_path / "log").read_text()
    codes = run_together(tmp_path, 2, *words, tmp_path / "two", f"run.strategy={strategy}")
    assert codes == [0, 0], (tmp_path / "log-0").read_text()[-3000:]
    for ours, theirs in zip(figures(tmp_path / "two"), figures(tmp_path / "one"), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-4)
    # Six steps at rate 1e-3 move a weight by up to 6e-3; orders of addition differ.
    assert farthest(trained_weights(tmp_path / "two"), trained_weights(tmp_path / "one")) < 5e-5
