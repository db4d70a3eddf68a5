from pathlib import Path
from typing import Any

import pytest

import tiny
from sprachbund.config import from_mapping, to_mapping
from sprachbund.errors import RecipeError
from sprachbund.training.speech_recipes import EncoderPretrainingRecipe
from sprachbund.training.targets import ContrastiveConfig, RandomProjectionConfig, TeacherConfig, UnitTargetsConfig

KINDS: list[tuple[dict[str, Any], Any]] = [
    ({"kind": "units", "units": "u"}, UnitTargetsConfig(kind="units", units=Path("u"))),
    ({"kind": "random_projection"}, RandomProjectionConfig(kind="random_projection", codes=8192, dim=16, seed=1)),
    (
        {"kind": "teacher", "model": "m", "layer": 3},
        TeacherConfig(kind="teacher", model=Path("m"), layer=3),
    ),
    ({"kind": "contrastive"}, ContrastiveConfig(kind="contrastive", distractors=100, diversity_weight=0.1)),
]


def recipe(folder: Path, targets: Any) -> EncoderPretrainingRecipe:
    return from_mapping(EncoderPretrainingRecipe, tiny.encoder_recipe(folder) | {"targets": targets}, "test")


@pytest.mark.parametrize(("plain", "expected"), KINDS, ids=[plain["kind"] for plain, _ in KINDS])
def test_each_kind_has_its_keys(tmp_path: Path, plain: dict[str, Any], expected: Any) -> None:
    found = recipe(tmp_path, plain)
    assert found.targets == expected
    assert from_mapping(EncoderPretrainingRecipe, to_mapping(found), "test") == found


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ({"kind": "unit", "units": "u"}, "'targets' cannot be used.*'units', 'random_projection'"),
        ({"units": "u"}, "'targets' cannot be used.*'kind'"),
        ({"kind": ["units"]}, "'targets' cannot be used"),
        ("units", "'targets'"),
        ({"kind": "units"}, "'targets.units.units' is missing"),
        ({"kind": "units", "unit": "u"}, "'targets.unit' is not known.*Did you mean 'units'"),
        ({"kind": "random_projection", "units": "u"}, "'targets.units' is not known"),
        ({"kind": "random_projection", "codes": 0}, "codes"),
        ({"kind": "random_projection", "seed": -1}, "seed"),
        ({"kind": "random_projection", "seed": 1 << 32}, "seed"),
        ({"kind": "teacher", "model": "m"}, "'targets.teacher.layer' is missing"),
        ({"kind": "teacher", "model": "m", "layer": -1}, "layer"),
        ({"kind": "contrastive", "distractors": 0}, "distractors"),
        ({"kind": "contrastive", "diversity_weight": -0.1}, "diversity_weight"),
    ],
)
def test_what_is_no_choice_is_refused(tmp_path: Path, targets: Any, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe(tmp_path, targets)
