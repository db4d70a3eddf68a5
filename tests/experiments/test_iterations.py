"""Iterations do what the single verbs do, and go on where they stopped."""

import json
from pathlib import Path

import pytest
import torch
import yaml

import tiny
from sprachbund.checkpoints.store import load_model
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.units import MFCC, attach_units, fit_units, load_units
from sprachbund.errors import RecipeError
from sprachbund.experiments.iterations import IterationPlan, iterate, labelled
from sprachbund.experiments.labelling import name_of
from sprachbund.models.stored_features import StoredEncoderFeatures
from sprachbund.tokens.units import UnitModel
from sprachbund.training.recipe import load_recipe
from sprachbund.training.run import train


@pytest.fixture
def plan(tmp_path: Path) -> IterationPlan:
    values = tiny.encoder_recipe(tmp_path / "unused", steps=2)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values), "utf-8")
    train_set = tiny.write_corpus(tmp_path / "speech", 8, name="train")
    valid_set = tiny.write_corpus(tmp_path / "speech", 2, name="valid")
    return IterationPlan(
        recipe=str(tmp_path / "recipe.yaml"),
        manifests=(train_set,),
        valid=(valid_set,),
        units=(6, 9),
        layers=(1,),
        seed=4,
    )


def run(plan: IterationPlan, out: Path) -> list[str]:
    said: list[str] = []
    iterate(plan, out, said.append)
    return said


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_each_stage_does_what_its_own_verb_does(plan: IterationPlan, tmp_path: Path) -> None:
    said = run(plan, tmp_path / "out")
    assert [sentence.endswith("begins") for sentence in said] == [True] * 8
    reader = MFCC
    for number, num_units in enumerate(plan.units, start=1):
        folder, alone = tmp_path / "out" / f"iteration-{number}", tmp_path / "alone" / str(number)
        cuts = read_cuts(plan.manifests[0])
        units = fit_units(cuts, num_units, reader=reader, seed=4)
        assert UnitModel.load(folder / "units") == units
        assert units.feature == reader.name
        for one, other in zip(
            attach_units(cuts, units, alone / "arrays", reader=reader),
            read_cuts(labelled(folder, plan.manifests[0])),
            strict=True,
        ):
            assert load_units(one, units.fingerprint).tolist() == load_units(other, units.fingerprint).tolist()
        recipe = load_recipe(str(folder / "run" / "recipe.yaml"))
        weights = load_model(train(recipe, alone / "run")).weights
        made = load_model(folder / "run" / "model").weights
        assert all(torch.equal(weights[key], made[key]) for key in weights)
        reader = StoredEncoderFeatures(folder / "run" / "model", 1)


@pytest.mark.slow
def test_what_is_finished_is_skipped_and_what_is_changed_is_made_again(plan: IterationPlan, tmp_path: Path) -> None:
    run(plan, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert all(sentence.endswith("already there") for sentence in run(plan, tmp_path / "out"))
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "iteration-1" / "units" / "units.json").unlink()
    next((tmp_path / "out" / "iteration-2" / "labelled" / "units").rglob("*.npy")).unlink()
    (tmp_path / "out" / "iteration-2" / "run" / "model" / "model.safetensors").unlink()
    (tmp_path / "out" / "iteration-2" / "units.stage.json").write_text("cut sh", "utf-8")
    run(plan, tmp_path / "out")
    after = contents(tmp_path / "out")
    assert {name for name in before if "tensorboard" not in name and before[name] != after[name]} <= {
        "iteration-2/run/environment.json", "iteration-2/run/model/config.json", "iteration-2/run/model/README.md",
        "iteration-2/run/metrics.jsonl",
    }  # fmt: skip
    assert set(before) <= set(after)


@pytest.mark.slow
def test_an_interrupted_run_goes_on(plan: IterationPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(plan, tmp_path / "whole")

    def interrupted(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("sprachbund.experiments.iterations.train", interrupted)
        run(plan, tmp_path / "out")
    said = run(plan, tmp_path / "out")
    assert [sentence.endswith("already there") for sentence in said] == [True] * 3 + [False] * 5
    weights = [load_model(tmp_path / name / "iteration-2" / "run" / "model").weights for name in ("whole", "out")]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_other_choices_in_the_same_folder_are_refused(plan: IterationPlan, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "iteration-1"
    folder.mkdir(parents=True)
    note = {"made_of": {"manifests": [], "units": 5, "seed": 4, "frames": "mfcc"}, "result": "x"}
    (folder / "units.stage.json").write_text(json.dumps(note), "utf-8")
    with pytest.raises(RecipeError, match=r"other choices.*manifests, units"):
        run(plan, tmp_path / "out")


def test_a_recipe_of_another_kind_is_refused_before_anything_is_made(plan: IterationPlan, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(tiny.recognition_recipe(tmp_path / "unused")), "utf-8")
    other = IterationPlan(recipe=str(tmp_path / "other.yaml"), manifests=plan.manifests, units=(4,))
    with pytest.raises(RecipeError, match="trains no encoder on units"):
        run(other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("units", "layers", "start"),
    [((), (), None), ((4, 4), (), None), ((4,), (1,), None), ((4, 4), (1,), Path("model"))],
    ids=["no units", "layer missing", "layer too many", "first layer missing"],
)
def test_plans_that_cannot_be_are_refused(units: tuple[int, ...], layers: tuple[int, ...], start: Path | None) -> None:
    with pytest.raises(RecipeError, match="one layer for each iteration"):
        IterationPlan(recipe="r", manifests=(Path("m.jsonl.gz"),), units=units, layers=layers, start=start)


def test_labelled_manifests_are_named_after_corpus_and_split() -> None:
    assert name_of(Path("corpora/steel-sky/dev.jsonl.gz")) == "steel-sky-dev"
    same = (Path("a/dev.jsonl.gz"), Path("b/../a/dev.jsonl"))
    with pytest.raises(RecipeError, match="two have one name"):
        IterationPlan(recipe="r", manifests=same, units=(4,))
