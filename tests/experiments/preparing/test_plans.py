from pathlib import Path
from typing import Any

import pytest

from sprachbund.errors import RecipeError
from sprachbund.experiments.preparing.plans import PhonePlan, Sources, UnitPlan

SOURCES = Sources(speech=(Path("a/train.jsonl.gz"),), text=("text.txt",))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"speech": ()}, "speech or text is missing.*0 manifests"),
        ({"text": ()}, "speech or text is missing.*--text"),
        ({"valid": (Path("x/../a/train.jsonl"),)}, "two manifests have one name.*a-train, a-train"),
    ],
    ids=["no speech", "no text", "one name"],
)
def test_sources_that_are_none_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        Sources(**({"speech": SOURCES.speech, "text": SOURCES.text} | changes))


@pytest.mark.parametrize("option", ["phone_model", "encoder", "word_positions"])
def test_pocketsphinx_decodes_alone(option: str) -> None:
    changes: dict[str, Any] = {option: True if option == "word_positions" else Path("model")}
    assert PhonePlan(sources=SOURCES, decode=True).rate == 100
    with pytest.raises(RecipeError, match="decodes without a phone model, and plain phones only"):
        PhonePlan(sources=SOURCES, decode=True, **changes)


def test_other_rates_than_those_of_labels_are_refused() -> None:
    with pytest.raises(RecipeError, match="not labelled at this rate"):
        PhonePlan(sources=SOURCES, rate=60)


def test_given_units_have_their_layer() -> None:
    with pytest.raises(RecipeError, match="given units have their layer"):
        UnitPlan(kind="speechut", sources=SOURCES, units=Path("u"), encoder=Path("m"), layer=3)
