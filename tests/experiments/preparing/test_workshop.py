from pathlib import Path

import pytest

import tiny
from experiments.preparable import phone_plan, workshop, write_sources
from sprachbund.config import apply_overrides
from sprachbund.errors import RecipeError
from sprachbund.experiments.preparing import workshop as preparing_workshop
from sprachbund.experiments.preparing.workshop import WEIGHTS, overrides_of
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import CHECKPOINTS, MODEL


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


def test_a_training_goes_on_where_it_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, _ = workshop(phone_plan(tmp_path), tmp_path / "out")
    recipe = load_recipe("hubert_tiny_phones", ("targets.units=u", 'speech.train=["a"]'))
    resumed = []

    def train_until_killed(_: object, run: Path, *, resume: bool) -> None:
        resumed.append(resume)
        (run / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
        (run / CHECKPOINTS / "step-00000100.ckpt").touch()
        if len(resumed) < 3:
            raise KeyboardInterrupt
        (run / MODEL).mkdir()
        (run / MODEL / WEIGHTS).write_text("weights")

    monkeypatch.setattr(preparing_workshop, "train", train_until_killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            shop.train("phone_model", recipe, {"a": 1})
    for _ in range(2):
        assert shop.train("phone_model", recipe, {"a": 1}) == shop.out / "phone_model" / "run" / MODEL
    assert resumed == [False, True, True]
