"""The table of models against the inventories of the originals, the recipes, and the page that shows it."""

import csv
import io
import json
from pathlib import Path

import pytest

from sprachbund.experiments.model_comparison import (
    FAMILIES,
    Row,
    compare_models,
    objectives_of,
    to_csv,
    to_json,
    to_markdown,
)
from sprachbund.training.recipe import load_recipe

ROOT = Path(__file__).parents[2]
KEYS = ROOT / "tests" / "golden" / "keys"


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Row]:
    return {(row.model, row.size): row for row in compare_models()}


@pytest.mark.parametrize(
    ("model", "size", "inventory"),
    [
        ("SpeechT5", "base", "speecht5_base_pretrain"),
        ("SpeechT5", "large", "speecht5_large_pretrain"),
        ("SpeechLM-P", "base", "speechlm_base_P"),
        ("SpeechLM-P", "large", "speechlm_large_P"),
        ("SpeechLM-H", "base", "speechlm_base_H"),
        ("SpeechUT", "base", "speechut_base"),
        ("SpeechUT", "large", "speechut_large"),
    ],
)
def test_published_sizes_have_the_parameters_of_the_originals(
    rows: dict[tuple[str, str], Row], model: str, size: str, inventory: str
) -> None:
    wanted = json.loads((KEYS / f"{inventory}.json").read_text("utf-8"))["num_parameters"]
    assert rows[model, size].parameters == wanted


def test_layers_widths_and_heads_are_those_of_the_papers(rows: dict[tuple[str, str], Row]) -> None:
    shapes = {
        (name, size): (row.speech_layers, row.shared_layers, row.decoder_layers, row.width, row.heads)
        for (name, size), row in rows.items()
    }
    assert shapes["HuBERT", "base"] == (12, 0, 0, 768, 12)
    assert shapes["SpeechT5", "base"] == (0, 12, 6, 768, 12)
    assert shapes["SpeechLM-P", "large"] == (12, 12, 0, 1024, 16)
    assert shapes["SpeechUT", "large"] == (12, 12, 6, 1024, 16)
    large = rows["SpeechUT", "large"]
    assert (large.decoder_width, large.decoder_heads) == (768, 12)
    assert rows["SpeechLM-H", "base"].decoder_width is None


def test_data_are_those_of_the_recipes(rows: dict[tuple[str, str], Row]) -> None:
    seen = {name: (row.speech, row.text, row.units_of_text, row.units_alone) for (name, _), row in rows.items()}
    assert seen == {
        "HuBERT": (True, False, False, False),
        "SpeechT5": (True, True, False, False),
        "SpeechLM-P": (True, True, True, False),
        "SpeechLM-H": (True, True, True, False),
        "SpeechUT": (True, True, True, True),
    }
    assert {row.tasks for (name, _), row in rows.items() if name == "SpeechUT"} == {("recognition", "translation")}
    assert all(row.supervision == "none" for (name, _), row in rows.items() if name in ("HuBERT", "SpeechT5"))


def test_every_recipe_that_a_family_names_is_of_its_kind() -> None:
    for family in FAMILIES:
        for name in family.recipes.values():
            recipe = load_recipe(name)
            kind = getattr(recipe, "model").kind  # noqa: B009 the union of recipes includes some without models
            assert kind in (None, family.kind)
            assert name.startswith(family.kind)


def test_objectives_follow_the_weights() -> None:
    def told(name: str, *changes: str) -> set[str]:
        recipe = load_recipe(name, changes)
        return set(objectives_of(recipe))  # type: ignore[arg-type]  # recipes of pre-training only

    speechut = told("speechut_tiny")
    assert speechut - told("speechut_tiny", "objective.masked_unit_weight=0") == {"masked units"}
    assert speechut - told("speechut_tiny", "mixing.probability=0") == {"mixing"}
    assert speechut - told("speechut_tiny", "objective.decoder_weight=0") == {"units to text, decoder"}
    assert speechut - told("speechut_tiny", "objective.ctc_weight=0") == {"units to text, CTC"}
    assert told("speechlm_p_tiny") == speechut - {"units to text, decoder", "masked units"}
    assert told("hubert_tiny_iteration2") == {"units of masked speech"}
    speecht5 = told("speecht5_tiny_pretrain")
    assert speecht5 == {"units of masked speech", "spectrogram", "infilling of text", "codebook"}
    assert speecht5 - told("speecht5_tiny_without_text") == {"infilling of text"}
    assert speecht5 - told("speecht5_tiny_without_speech") >= {"spectrogram", "units of masked speech"}
    assert "units of masked speech" not in told("speecht5_tiny_without_masked_prediction")


def test_all_forms_have_all_rows(rows: dict[tuple[str, str], Row]) -> None:
    table = list(rows.values())
    plain = json.loads(to_json(table))
    assert [(row["model"], row["size"]) for row in plain] == list(rows)
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [(line["model"], line["size"], int(line["parameters"])) for line in lines] == [
        (row.model, row.size, row.parameters) for row in table
    ]
    sizes, learning = to_markdown(table).split("\n\n")
    assert len(sizes.splitlines()) == len(table) + 2
    for text in (sizes, learning):
        assert len({line.count("|") for line in text.strip().splitlines()}) == 1
    assert learning.count("SpeechUT") == 1


def test_the_page_shows_the_table_that_is_made(rows: dict[tuple[str, str], Row]) -> None:
    page = (ROOT / "docs" / "analyses.md").read_text("utf-8")
    for table in to_markdown(list(rows.values())).split("\n\n"):
        assert table.strip() in page
