"""The page of everything names everything."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from sprachbund.cli.main import VERBS
from sprachbund.config import from_mapping, to_mapping
from sprachbund.data.corpora.registry import CORPORA
from sprachbund.data.exporters.registry import EXPORT_FORMATS
from sprachbund.data.importers.registry import IMPORT_FORMATS
from sprachbund.objectives.recognition import RecognitionConfig
from sprachbund.training.recipe import shipped_recipes
from sprachbund.training.speech_recipes import PretrainingRecipe
from test_structure import ROOMS

PAGE = (Path(__file__).parents[2] / "docs" / "all_of_it.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_on_the_page(verb: str) -> None:
    assert f"sprachbund {verb}" in NAMED


@pytest.mark.parametrize(
    "names",
    [
        CORPORA,
        IMPORT_FORMATS,
        EXPORT_FORMATS,
        shipped_recipes(),
        [room for room in ROOMS if not room.startswith("_")],
        [one.name for one in fields(RecognitionConfig)],
    ],
    ids=["corpora", "import formats", "export formats", "recipes", "rooms", "recognition keys"],
)
def test_every_name_is_on_the_page(names: list[str]) -> None:
    assert set(names) - NAMED == set()


def test_the_recipe_on_the_page_has_every_key_and_can_be_used() -> None:
    block = re.search(r"```yaml\n(task: pretraining.*?)```", PAGE, re.DOTALL)
    assert block is not None
    given = yaml.safe_load(block[1].replace("1.5e-3", "0.0015"))
    recipe = from_mapping(PretrainingRecipe, given, "the page")
    assert _keys(given) == _keys(to_mapping(recipe))


def test_every_page_of_the_docs_is_reached_from_this_one_or_the_readme() -> None:
    docs = Path(__file__).parents[2] / "docs"
    readme = (docs.parent / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\(([a-z_]+\.md)\)", PAGE)) | set(re.findall(r"\(docs/([a-z_]+\.md)\)", readme))
    assert {page.name for page in docs.glob("*.md")} <= linked


def _keys(value: object, path: str = "") -> set[str]:
    """Paths of all keys; what stands inside `changes` is free."""
    if not isinstance(value, dict) or path.endswith(".changes"):
        return {path}
    return {found for key, inner in value.items() for found in _keys(inner, f"{path}.{key}")}
