import json
from typing import Any

import pytest
import torch

from models.language_model.sizes import small_config
from sprachbund.config import from_mapping, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.models.language_model.config import TransformerLanguageConfig
from sprachbund.models.language_model.model import TransformerLanguageModel


@pytest.mark.parametrize(
    ("size", "millions"), [("tiny", (1.7, 2.0)), ("base", (18.5, 20.0)), ("large", (444.0, 448.0))]
)
def test_the_sizes_are_what_they_say(size: str, millions: tuple[float, float]) -> None:
    with torch.device("meta"):
        model = TransformerLanguageModel(getattr(TransformerLanguageConfig, size)(34))
    assert millions[0] < sum(weight.numel() for weight in model.parameters()) / 1e6 < millions[1]
    assert model.config.vocab_size == 34


@pytest.mark.parametrize("size", ["tiny", "base", "large"])
def test_a_size_can_be_changed(size: str) -> None:
    assert getattr(TransformerLanguageConfig, size)(34, dropout=0.3).dropout == 0.3


def test_the_configuration_is_plain_values() -> None:
    config = small_config(positions="learned")
    assert from_mapping(TransformerLanguageConfig, json.loads(json.dumps(to_mapping(config))), "here") == config


@pytest.mark.parametrize("changes", [{"positions": "rotary"}, {"max_positions": 0}, {"dropout": 2}], ids=str)
def test_values_that_cannot_be_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=next(iter(changes))):
        from_mapping(TransformerLanguageConfig, to_mapping(small_config()) | changes, "here")
