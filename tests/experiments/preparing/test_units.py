from pathlib import Path
from typing import Any

import pytest

import tiny
from decoding.phone_models import write_phone_model
from experiments.preparable import (
    USED,
    unit_plan,
    use_small_lexicon,
    workshop,
    write_sources,
    write_text_to_unit,
    write_writer_recipe,
)
from sprachbund.checkpoints.store import load_model
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.blocks import transform_lines
from sprachbund.data.text.store import LineStore
from sprachbund.data.units import attach_units, fit_units, load_units
from sprachbund.decoding.text_to_units import UnitsOfPhones
from sprachbund.errors import CheckpointError, DataError, RecipeError, SprachbundError, VocabularyError
from sprachbund.experiments.preparing.plans import UnitPlan
from sprachbund.experiments.preparing.units import prepare_units
from sprachbund.experiments.preparing.workshop import Workshop
from sprachbund.tokens.reduction import reduced
from sprachbund.tokens.units import UnitModel

NAME = "01-text-lines"


@pytest.fixture(autouse=True)
def _small_lexicon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small_lexicon(monkeypatch, tmp_path)


def prepared(plan: UnitPlan, out: Path) -> tuple[Workshop, list[str]]:
    shop, said = workshop(plan, out)
    prepare_units(shop, plan)
    return shop, said


def test_speech_has_its_units_and_text_those_of_the_model(tmp_path: Path) -> None:
    plan = unit_plan(tmp_path)
    shop, _ = prepared(plan, tmp_path / "out")
    units = UnitModel.load(shop.units)
    assert units == tiny.unit_model()
    for manifest in (*plan.sources.speech, *plan.sources.valid):
        wanted = attach_units(read_cuts(manifest), units, tmp_path / "alone")
        for cut, other in zip(read_cuts(shop.labelled(manifest)), wanted, strict=True):
            assert load_units(cut, units.fingerprint).tolist() == load_units(other, units.fingerprint).tolist()
    assert plan.text_to_unit is not None
    alone = transform_lines(
        f"{shop.out / 'phones' / NAME}#phones", UnitsOfPhones.load(plan.text_to_unit), tmp_path / "store"
    ).store
    found = LineStore(shop.paired(NAME))
    assert alone is not None and len(found) == len(alone) == USED
    assert found.items("units").tolist() == alone.items("units").tolist()
    assert found.text("text", 1) == "a bad deed"


def test_speechut_reads_reduced_units_of_text(tmp_path: Path) -> None:
    stores = []
    for kind in ("speechlm-h", "speechut"):
        shop, _ = prepared(unit_plan(tmp_path, kind), tmp_path / kind)
        stores.append(LineStore(shop.paired(NAME)))
    whole, short = stores
    assert (whole.ids_field("units").is_reduced, short.ids_field("units").is_reduced) == (False, True)
    for number in range(USED):
        assert short.tokens("units", number).tolist() == reduced(whole.tokens("units", number)).units.tolist()


def test_a_folder_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    prepared(unit_plan(tmp_path), tmp_path / "out")
    with pytest.raises(DataError, match="a store of other lines or other settings"):
        prepared(unit_plan(tmp_path, "speechut"), tmp_path / "out")


def test_units_are_fitted_where_none_are_given(tmp_path: Path) -> None:
    plan = unit_plan(tmp_path, units=None, num_units=5, seed=3, text_to_unit=None, recipe="unit_generator_tiny")
    with pytest.raises(RecipeError, match="a generator writes reduced units"):
        prepared(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["speechlm-h", "speechut"])
def test_units_and_model_are_made_of_the_speech(tmp_path: Path, kind: str) -> None:
    recipe = write_writer_recipe(tmp_path)
    plan = unit_plan(tmp_path, kind, units=None, num_units=5, seed=3, text_to_unit=None, recipe=recipe)
    try:
        shop, _ = prepared(plan, tmp_path / "out")
    except DataError as error:
        # Little trained, it may write fewer reduced units than there are letters.
        assert kind == "speechut" and "no pair of units and text" in str(error)
        shop, _ = workshop(plan, tmp_path / "out")
    assert UnitModel.load(shop.units) == fit_units(read_cuts(plan.sources.speech[0]), 5, seed=3)
    facts = load_model(shop.out / "text_to_unit" / "run" / "model").facts
    assert facts["unit_model"] == UnitModel.load(shop.units).fingerprint
    seconds = sum(cut.duration for cut in read_cuts(plan.sources.paired[0]))
    assert facts["paired_minutes"] == round(seconds / 60, 2)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"units": None}, RecipeError, "knows the units of one unit model only.*--units FOLDER"),
        ({"encoder": "hubert"}, VocabularyError, "the unit model is one of other features"),
        ({"text_to_unit": "phones"}, CheckpointError, "reads speech, and one of text is wanted"),
        ({"text_to_unit": "other"}, VocabularyError, "the text-to-unit model makes other units"),
        ({"text_to_unit": "second"}, VocabularyError, "the text-to-unit model makes other units"),
        ({"text_to_unit": None, "sources": "unpaired"}, DataError, "there is no paired part"),
        ({"text_to_unit": None, "recipe": "hubert_tiny_phones"}, RecipeError, "paired"),
        ({"text_to_unit": None, "recipe": "text_to_unit_tiny_25hz"}, RecipeError, "trains no text-to-unit model"),
    ],
    ids=["no units", "encoder", "no writer", "other units", "every second", "unpaired", "other task", "25 Hz"],
)
def test_what_does_not_go_together_is_refused_before_anything_is_made(
    tmp_path: Path, changes: dict[str, Any], error: type[SprachbundError], told: str
) -> None:
    models = {
        "hubert": lambda: tiny.write_hubert_folder(tmp_path / "hubert"),
        "phones": lambda: write_phone_model(tmp_path / "phones"),
        "other": lambda: write_text_to_unit(tmp_path / "other", unit_model="x"),
        "second": lambda: write_text_to_unit(tmp_path / "second", keep_every=2),
        "unpaired": lambda: write_sources(tmp_path, paired=()),
    }
    made = {key: models[value]() if value in models else value for key, value in changes.items()}
    with pytest.raises(error, match=told):
        prepared(unit_plan(tmp_path, **made), tmp_path / "out")
    assert not (tmp_path / "out").exists()
