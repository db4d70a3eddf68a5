from pathlib import Path
from typing import Any

import pytest

import speech_units
from sprachbund.config import from_mapping, merge, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.training.recipe import load_recipe, shipped_recipes
from sprachbund.training.unit_recipes import (
    MixingConfig,
    MonoConfig,
    PairedTextConfig,
    UnitPretrainingRecipe,
    UnitSpanConfig,
)

SHIPPED = [
    *(f"speechlm_p_{size}" for size in ("tiny", "small", "base", "large")),
    *(f"speechlm_h_{size}" for size in ("tiny", "small", "base")),
    *(f"speechut_{size}" for size in ("tiny", "small", "base", "large")),
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A recipe that can be used."""
    return speech_units.unit_recipe("speechut", tmp_path_factory.mktemp("recipe"))


@pytest.mark.parametrize("kind", ["speechlm", "speechut"])
def test_a_recipe_goes_there_and_back(kind: str, tmp_path: Path) -> None:
    recipe = from_mapping(UnitPretrainingRecipe, speech_units.unit_recipe(kind, tmp_path), "test")
    assert from_mapping(UnitPretrainingRecipe, to_mapping(recipe), "test") == recipe
    assert (recipe.mono is None) == (kind == "speechlm")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": {"kind": None}}, "must be speechlm or speechut"),
        ({"model": {"kind": "hubert"}}, "this task trains speechlm or speechut"),
        ({"mono": {"speech": [], "text": []}}, "names neither speech nor text"),
        ({"mono": {"speech": [], "speech_share": 0.5}}, "wants both speech and text"),
        ({"mono": {"speech_share": 1.0}}, "between 0 and 1"),
        ({"mono": {"speech_share": 1.5}}, "speech_share"),
        ({"mixing": {"probability": -0.1}}, "mixing.probability"),
        ({"mixing": {"length": 0}}, "mixing.length"),
        ({"paired": {"units_per_frame": 0.0}}, "units_per_frame"),
        ({"paired": {"max_units": 0}}, "max_units"),
        ({"paired": {"masking": {"probability": 2.0}}}, "probability"),
        ({"augmentation": {"speed": {"factors": [0.9, 1.1]}}}, "speed changes lengths"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(plain: dict[str, Any], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        from_mapping(UnitPretrainingRecipe, merge(plain, changes), "test")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_keep_to_their_family(name: str) -> None:
    """SpeechLM masks the units of text and writes no text; SpeechUT reduces them, and learns from units alone too."""
    assert name in shipped_recipes()
    recipe = load_recipe(name, verb="pretrain")
    assert isinstance(recipe, UnitPretrainingRecipe) and recipe.model.kind is not None
    assert name.startswith(recipe.model.kind) and name.endswith(recipe.model.size)
    is_speechut = recipe.model.kind == "speechut"
    assert recipe.paired.reduced == is_speechut == (recipe.mono is not None)
    assert (recipe.paired.masking.probability > 0) == (not is_speechut)
    weights = recipe.objective.ctc_weight, recipe.objective.decoder_weight, recipe.objective.masked_unit_weight
    assert weights == ((0.1, 0.1, 0.5) if is_speechut else (0.1, 0.0, 0.0))
    assert recipe.mixing == MixingConfig(probability=0.4, length=5)
    if recipe.mono is not None:
        assert recipe.mono.reduced and recipe.mono.masking == UnitSpanConfig(probability=0.8, length=10)


def test_the_published_runs_are_alike() -> None:
    for name in (name for name in SHIPPED if name.endswith(("base", "large"))):
        recipe = load_recipe(name)
        assert isinstance(recipe, UnitPretrainingRecipe)
        schedule = recipe.optimization.schedule
        assert (schedule.peak, schedule.warmup, schedule.total_steps) == (5e-4, 32000, 400000)
        assert (recipe.masking.time, recipe.masking.time_length, recipe.run.steps) == (0.8, 10, 400000)


def test_defaults_are_those_of_the_originals() -> None:
    assert PairedTextConfig(train=()).masking.probability == 0.0  # SpeechUT's units of text are not masked
    assert UnitSpanConfig() == UnitSpanConfig(probability=0.8, length=10)
    assert MixingConfig() == MixingConfig(probability=0.4, length=5)
    assert MonoConfig(text=(Path("a"),)).max_units == PairedTextConfig(train=()).max_units == 2800
