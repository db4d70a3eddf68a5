import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.config import from_mapping, to_mapping
from sprachbund.decoding.recognition.config import USES, USUAL, DecodingConfig, FusedModel, Method, require_method
from sprachbund.errors import RecipeError

METHODS: tuple[Method, ...] = get_args(Method)
# A sound value of every option that not all methods have.
OPTIONS: dict[str, Any] = {
    "beam": 3,
    "num_best": 2,
    "ctc_weight": 0.5,
    "language_models": (FusedModel(path="words.arpa", weight=0.2),),
    "length_bonus": 0.5,
    "length_penalty": 0.7,
    "lexicon": "words.txt",
    "tokens_per_second": 12.0,
}


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_said_is_usual(method: Method):
    assert DecodingConfig(method=method).search() == USUAL[method]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_taken_by_the_methods_that_use_it_and_refused_by_the_others(method: Method, name: str):
    value = OPTIONS[name]
    if name in USES[method]:
        config = DecodingConfig(method=method, **{name: value})
        assert getattr(config, name) == value
        if hasattr(config.search(), name):
            assert getattr(config.search(), name) == value
        return
    with pytest.raises(RecipeError, match=f"decoder {method} has no use for {name}") as caught:
        DecodingConfig(method=method, **{name: value})
    users = [other for other in METHODS if name in USES[other]]
    assert str(caught.value).endswith(f"{name} is an option of {', '.join(users)}.")


def test_every_option_is_used_by_some_method():
    assert {name for names in USES.values() for name in names} == set(OPTIONS)


@given(chosen=st.sets(st.sampled_from(sorted(OPTIONS))), method=st.sampled_from(METHODS), timestamps=st.booleans())
def test_settings_are_written_and_read_back(chosen: set[str], method: Method, timestamps: bool):
    options = {name: OPTIONS[name] for name in chosen if name in USES[method]}
    config = DecodingConfig(method=method, timestamps=timestamps, batch_seconds=7.0, precision="bf16", **options)
    assert from_mapping(DecodingConfig, to_mapping(config), "here") == config


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"beam": 0}, "beam makes no sense"),
        ({"num_best": 0}, "num_best makes no sense"),
        ({"ctc_weight": 1.5}, "ctc_weight makes no sense"),
        ({"ctc_weight": math.nan}, "ctc_weight makes no sense"),
        ({"length_bonus": math.inf}, "length_bonus makes no sense"),
        ({"length_penalty": math.nan}, "length_penalty makes no sense"),
        ({"tokens_per_second": 0.0}, "tokens_per_second makes no sense"),
        ({"batch_seconds": 0.0}, "batch_seconds makes no sense"),
    ],
)
def test_values_without_sense_are_refused(values: dict[str, Any], told: str):
    with pytest.raises(RecipeError, match=told):
        DecodingConfig(method="joint", **values)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_weights_of_language_models_are_numbers_of_at_least_0(weight: float):
    with pytest.raises(RecipeError, match="no weight"):
        FusedModel(path="lm", weight=weight)
    assert FusedModel(path="lm", weight=0.0).weight == 0


def test_an_unknown_method_or_precision_is_refused():
    """By the configuration itself, as nothing checks annotations outside of tests."""
    for name, value in (("method", "guess"), ("precision", "float8"), ("times_by", "ear")):
        config = object.__new__(DecodingConfig)
        object.__setattr__(config, name, value)
        with pytest.raises(RecipeError, match=f"there is no such .*{value}.*Known are"):
            config.__post_init__()
    with pytest.raises(RecipeError, match=r"no such decoder.*guess.*ctc, ctc-beam, attention, joint"):
        require_method("guess")
    assert [require_method(method) for method in METHODS] == list(METHODS)
