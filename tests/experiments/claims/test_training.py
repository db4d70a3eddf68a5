"""Rows differ in what they say, and in nothing of the budget."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.claims_folder import BUDGET as QUICK
from experiments.claims_folder import shared_of
from sprachbund.config import to_mapping
from sprachbund.experiments.claims.data import SharedData
from sprachbund.experiments.claims.places import ClaimsPlaces
from sprachbund.experiments.claims.rows import PREPARED, ROWS
from sprachbund.experiments.claims.training import Training, movable

# Seconds that no shipped recipe has.
BUDGET = replace(QUICK, pretraining_seconds=31.0, finetuning_seconds=25.0)
BY_NAME = {row.name: row for row in ROWS}
PRETRAINED = [row.name for row in ROWS if row.pretraining]


@pytest.fixture
def shared(tmp_path: Path) -> SharedData:
    """A folder in which everything seems to be prepared."""
    shared = shared_of(tmp_path, BUDGET)
    for data in ("speechlm-p", "speechlm-h", "speechut"):
        folder = shared.places.prepared(data)
        (folder / "text" / "01-data-wordnet").mkdir(parents=True)
        (folder / "text" / "valid-steel-sky-dev").mkdir()
        base = f"extends: {data.replace('-', '_')}_tiny\nunits: $HERE/units\ntokenizer: $HERE/tokenizer\n"
        (folder / "recipe.yaml").write_text(base)
    return shared


def pretraining(shared: SharedData, name: str) -> dict[str, Any]:
    return to_mapping(Training(BY_NAME[name], shared).pretraining_recipe())


@pytest.mark.parametrize("name", PRETRAINED)
def test_pretraining_keeps_to_the_budget(shared: SharedData, name: str) -> None:
    recipe = pretraining(shared, name)
    assert recipe["run"]["steps"] == recipe["optimization"]["schedule"]["total_steps"] == BUDGET.pretraining_steps
    assert recipe["speech"]["batch_seconds"] == BUDGET.pretraining_seconds
    assert (recipe["run"]["seed"], recipe["run"]["accumulate"], recipe["run"]["threads"]) == (BUDGET.seeds[0], 1, 1)
    data = BY_NAME[name].data
    assert data is not None
    units = recipe.get("units") or recipe["targets"]["units"]
    assert units == str(shared.places.prepared(data) / "units")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_fine_tuning_keeps_to_the_budget(shared: SharedData, row: Any) -> None:
    training = Training(row, shared)
    begun = None if training.pretraining is None else str(shared.places.model(training.pretraining))
    recipe = to_mapping(training.recognition_recipe(7))
    assert recipe["speech"]["train"] == [str(shared.places.labelled)]
    assert (recipe["init"], recipe["run"]["seed"], recipe["run"]["steps"]) == (begun, 7, BUDGET.recognition_steps)
    assert recipe["speech"]["batch_seconds"] == BUDGET.finetuning_seconds
    if row.translation:
        recipe = to_mapping(training.translation_recipe("fr", 7))
        assert (recipe["target"], recipe["init"], recipe["run"]["steps"]) == ("fr", begun, BUDGET.translation_steps)
        assert recipe["speech"]["batch_seconds"] == BUDGET.finetuning_seconds


def different(one: Any, other: Any, at: str = "") -> set[str]:
    """The keys in which two mappings differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        parts = [different(one.get(key), other.get(key), f"{at}.{key}") for key in {*one, *other}]
        return set().union(*parts)
    return set() if one == other else {at.removeprefix(".")}


@pytest.mark.parametrize(
    ("name", "of", "keys"),
    [
        ("speechlm-h-without-text", "speechlm-h", {"objective.ctc_weight"}),
        ("speechut-without-mixing", "speechut", {"mixing.probability"}),
        ("speechut-without-masked-units", "speechut", {"mono", "objective.masked_unit_weight"}),
    ],
    ids=["text", "mixing", "masked units"],
)
def test_an_ablation_leaves_out_one_thing(shared: SharedData, name: str, of: str, keys: set[str]) -> None:
    assert different(pretraining(shared, name), pretraining(shared, of)) == keys


def test_the_encoder_decoder_reads_what_speecht5_reads_and_knows_no_units(shared: SharedData) -> None:
    one, other = pretraining(shared, "encoder-decoder"), pretraining(shared, "speecht5")
    assert (one["speech"], one["text"]) == (other["speech"], other["text"])
    speech, text = one["objective"]["speech"], one["objective"]["text"]
    assert (speech["masked_weight"], speech["use_codebook"], text["use_codebook"]) == (0.0, False, False)
    assert one["model"]["changes"] == {"has_quantizer": False}


def test_all_read_the_same_text_without_what_held_out_speech_says(shared: SharedData) -> None:
    found = {name: pretraining(shared, name) for name in PRETRAINED if BY_NAME[name].pretraining != PREPARED}
    texts = {name: recipe["text"]["train"] for name, recipe in found.items() if "text" in recipe}
    lines = str(shared.places.prepared("speechlm-h") / "text" / "01-data-wordnet")
    assert texts == {"speecht5": [lines], "encoder-decoder": [lines]}


def test_a_folder_that_is_moved_has_the_same_choices(tmp_path: Path) -> None:
    values = {"a": ["{}/x", 3, None], "b": {"c": "{}/y/z"}, "d": "{}else", "e": "plain"}

    def placed(value: Any, folder: Path) -> Any:
        if isinstance(value, dict):
            return {key: placed(inner, folder) for key, inner in value.items()}
        if isinstance(value, list):
            return [placed(inner, folder) for inner in value]
        return value.format(folder) if isinstance(value, str) else value

    one, other = tmp_path / "one", tmp_path / "other"
    first = movable(placed(values, one), ClaimsPlaces(one, tmp_path / "corpora"))
    assert first == {"a": ["OUT/x", 3, None], "b": {"c": "OUT/y/z"}, "d": f"{one}else", "e": "plain"}
    values.pop("d")
    moved = movable(placed(values, other), ClaimsPlaces(other, tmp_path / "corpora"))
    assert moved == {key: value for key, value in first.items() if key != "d"}
    assert movable(f"{tmp_path}/corpora/x", ClaimsPlaces(one, tmp_path / "corpora")) == "CORPORA/x"


def test_choices_are_those_of_the_recipe(shared: SharedData) -> None:
    training = Training(BY_NAME["hubert"], shared)
    (job,) = training.pretrain()
    recipe = job.choices()["recipe"]
    assert recipe["targets"]["units"] == "OUT/prepared/speechlm-h/units"
    assert str(shared.places.out) not in str(recipe)
    assert job.needs == ("prepare-speechlm-h",)
    assert training.recognize(2).needs == ("data", "hubert-pretraining")
    assert Training(BY_NAME["none"], shared).translate("de", 1).needs == ("tokenizer-de",)
    assert not list(Training(BY_NAME["none"], shared).pretrain())
