from pathlib import Path

import pytest

from experiments.preparable import phone_plan, unit_plan, use_small_lexicon, workshop, write_sources, write_text_to_unit
from sprachbund.config import HERE, read_yaml
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.experiments.preparing.handover import base_recipe, supervision, write_card, write_recipe
from sprachbund.experiments.preparing.phones import prepare_phones
from sprachbund.experiments.preparing.units import prepare_units
from sprachbund.training.recipe import load_recipe, shipped_recipes
from sprachbund.training.unit_recipes import UnitPretrainingRecipe

NAME, VALID = "01-text-lines", "valid-speech-valid"


@pytest.fixture(autouse=True)
def _small_lexicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)


def test_there_is_a_recipe_of_each_kind() -> None:
    assert {base_recipe(kind, "tiny") for kind in ("speechlm-p", "speechlm-h", "speechut")} <= set(shipped_recipes())


@pytest.mark.parametrize("kind", ["speechlm-h", "speechut"])
def test_the_recipe_names_what_is_in_the_folder_wherever_it_is(tmp_path: Path, kind: str) -> None:
    plan = unit_plan(tmp_path, kind)
    shop, _ = workshop(plan, tmp_path / "out")
    write_recipe(shop, plan)
    moved = tmp_path / "moved: 'here' #1"
    shop.out.rename(moved)
    recipe = load_recipe(str(moved / "recipe.yaml"), verb="pretrain")
    assert isinstance(recipe, UnitPretrainingRecipe)
    assert (recipe.tokenizer, recipe.units) == (moved / "tokenizer", moved / "units")
    assert recipe.speech.train == (str(moved / "labelled" / "speech-train.jsonl.gz"),)
    assert recipe.speech.valid == (str(moved / "labelled" / "speech-valid.jsonl.gz"),)
    assert recipe.paired.train == (moved / "paired" / NAME,)
    assert recipe.paired.valid == (moved / "paired" / VALID,)
    assert recipe.paired.reduced == (kind == "speechut")
    assert (recipe.mono is None) == (kind != "speechut")
    if recipe.mono is not None:
        assert (recipe.mono.speech, recipe.mono.text) == (recipe.speech.train, recipe.paired.train)
    assert read_yaml(moved / "recipe.yaml")["units"] == f"{HERE}/units"


def test_the_card_tells_what_went_in(tmp_path: Path) -> None:
    plan = unit_plan(tmp_path, text_to_unit=write_text_to_unit(tmp_path / "t2u", paired_minutes=7.5, aligner="xyz"))
    shop, _ = workshop(plan, tmp_path / "out")
    left_out = prepare_units(shop, plan)
    write_card(shop, plan, {**left_out, NAME: {"too short": 3}})
    card = (shop.out / "README.md").read_text("utf-8")
    seconds = sum(cut.duration for cut in read_cuts(plan.sources.speech[0]))
    for told in (
        "# Data of speechlm-h",
        "| units | 6 of mfcc, 100 a second,",
        f"| labelled/speech-train.jsonl.gz | 5 clips, {seconds / 60:.1f} minutes of speech |",
        "| text/01-text-lines | 5 of 8 lines; left out 1: said in held-out speech; left out 2: without a word |",
        "| paired/01-text-lines | 5 of 5 lines; 3 of them left out of training: too short |",
        "- 7.5 minutes of paired speech, which the given text-to-unit model has learned from",
        "- the lexicon cmudict",
        "    sprachbund pretrain recipe.yaml",
    ):
        assert told in card
    assert str(tmp_path) not in card  # equal inputs give equal bytes, wherever they lie


def test_alignments_are_counted_among_the_supervision(tmp_path: Path) -> None:
    plan = phone_plan(tmp_path, sources=write_sources(tmp_path))
    shop, _ = workshop(plan, tmp_path / "out")
    prepare_phones(shop, plan)
    told = supervision(shop, plan)
    assert len(told) == 3
    assert "(3 clips with transcripts), aligned by what its manifests name (fingerprint unknown)" in told[0]
    assert told[2] == "the phone model that was given"


def test_equal_files_are_not_written_again(tmp_path: Path) -> None:
    plan = unit_plan(tmp_path)
    shop, _ = workshop(plan, tmp_path / "out")
    write_recipe(shop, plan)
    written = shop.recipe.stat().st_mtime_ns
    write_recipe(shop, plan)
    assert shop.recipe.stat().st_mtime_ns == written
