from pathlib import Path

import pytest

import tiny
from experiments.preparable import phone_plan, workshop, write_sources
from sprachbund.config import apply_overrides
from sprachbund.errors import RecipeError
from sprachbund.experiments.preparing.workshop import overrides_of


def test_stores_are_named_by_place_and_file(tmp_path: Path) -> None:
    text = str(tiny.write_text(tmp_path / "a b"))
    silent = tiny.write_corpus(tmp_path / "silent", 2, texts=False)
    sources = write_sources(tmp_path, text=(text, text, f"{text}#x"))
    sources = write_sources(tmp_path, text=sources.text, valid=(*sources.valid, silent))
    shop, _ = workshop(phone_plan(tmp_path, sources=sources), tmp_path / "out")
    assert list(shop.texts) == ["01-a-b-text", "02-a-b-text", "03-a-b-text", "valid-speech-valid"]
    assert shop.texts["03-a-b-text"] == f"{text}#x"
    assert [shop.is_valid(name) for name in shop.texts] == [False, False, False, True]
    assert shop.labelled(silent).name == "silent-clip.jsonl.gz"


def test_a_stage_of_other_choices_is_refused_with_its_name(tmp_path: Path) -> None:
    shop, said = workshop(phone_plan(tmp_path), tmp_path / "out")
    shop.stage("units", {"units": 3}).finish("x")
    assert shop.stage("units", {"units": 3}).is_done(lambda: "x")
    assert said == ["out, units: already there"]
    with pytest.raises(RecipeError, match=r"other choices in .*out/units.stage.json"):
        shop.stage("units", {"units": 4}).is_done(lambda: "x")


def test_overrides_keep_any_path(tmp_path: Path) -> None:
    odd = str(tmp_path / "a: 'b' #c, {d}")
    changed = apply_overrides({"paired": {"train": ["x"]}}, overrides_of({"paired.train": [odd], "init": None}))
    assert changed == {"paired": {"train": [odd]}, "init": None}
