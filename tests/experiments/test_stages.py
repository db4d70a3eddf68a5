from pathlib import Path

import pytest

from sprachbund.config import apply_overrides
from sprachbund.experiments.stages import STAGES, _set


@pytest.mark.parametrize("name", ["plain", "with space", "a,b", "[x]", "a: b", "ä#1", "it's"])
def test_any_path_survives_as_an_override(name):
    assert apply_overrides({}, [_set("a.b", [Path(name)])]) == {"a": {"b": [name]}}


def test_stages_have_names_of_their_own():
    names = [name for name, _ in STAGES]
    assert len(set(names)) == len(names)
