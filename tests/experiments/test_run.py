"""A whole experiment on a corpus of seconds, with real files and real training of a few steps."""

import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from lhotse import CutSet
from rich.console import Console

import tiny
from sprachbund.config import dump_yaml
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.experiments.findings import collect_findings
from sprachbund.experiments.places import Places
from sprachbund.experiments.plan import PLANS
from sprachbund.experiments.run import describe_hardware, run_plan
from sprachbund.experiments.stages import Experiment
from sprachbund.training.recipe import shipped_recipes


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of an experiment that ran, its plan, and what it said."""
    folder = tmp_path_factory.mktemp("experiment")
    write_corpora(folder / "corpora")
    plan = tiny_plan(folder)
    console = Console(record=True, width=200, quiet=False, file=io.StringIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Experiment, "get_corpora", lambda self: None)
        patch.setattr(
            "sprachbund.experiments.run.STAGES",
            [(name, stage if name != "corpora" else (lambda experiment: None)) for name, stage in stages()],
        )
        run_plan(plan, folder / "out", folder / "corpora", console)
    return folder, plan, console.export_text()


def stages():
    from sprachbund.experiments.stages import STAGES

    return STAGES


def write_corpora(root):
    cuts = list(tiny.make_cuts(root / "steel-sky", 10))
    for split, part in {"train": cuts[:6], "dev": cuts[6:8], "test": cuts[8:]}.items():
        write_cuts(CutSet.from_cuts(part), root / "steel-sky" / f"{split}.jsonl.gz")
    cuts = list(tiny.make_cuts(root / "asterisk", 10, name="prompt"))
    for split, part in {"train": cuts[:6], "dev": cuts[6:8], "test": cuts[8:], "all": cuts}.items():
        write_cuts(CutSet.from_cuts(part), root / "asterisk" / f"{split}.jsonl.gz")
    held_out = tiny.TEXTS[6:]
    tiny.write_text(root / "wordnet", [line for line in tiny.LINES if line not in held_out])


def tiny_plan(folder):
    pretraining, recognition = tiny.pretraining_recipe(folder / "p"), tiny.recognition_recipe(folder / "r")
    recognition["model"] = {"size": "tiny", "changes": tiny.model_changes()}
    for name, recipe in (("pretraining", pretraining), ("recognition", recognition)):
        (folder / f"{name}.yaml").write_text(dump_yaml(recipe))
    return replace(
        PLANS["demo"],
        pretraining=str(folder / "pretraining.yaml"),
        recognition=str(folder / "recognition.yaml"),
        num_units=tiny.NUM_UNITS,
        overfit_steps=2,
        num_played=2,
    )


def test_everything_is_made(finished):
    folder, _, said = finished
    out = folder / "out"
    for run in ("pretrain", "finetune", "scratch"):
        assert (out / run / "model" / "model.safetensors").exists()
    assert len(list((out / "evaluation").iterdir())) == 2 * 2 * 2
    assert json.loads((out / "overfit.json").read_text())["num_clips"] == 6
    assert list(json.loads((out / "seconds.json").read_text())) == [name for name, _ in stages()]
    assert "steel-sky train: 6 clips" in said
    assert "held out" in said


def test_the_report_is_a_page_with_players_and_pictures(finished):
    folder, _, _ = finished
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append(tag)

    Reader().feed((folder / "out" / "report.html").read_text("utf-8"))
    assert tags.count("audio") == 2
    assert tags.count("img") >= 4
    assert "table" in tags


def test_nothing_is_done_twice(finished):
    folder, plan, _ = finished
    out = folder / "out"
    watched = [path for path in out.rglob("*") if path.is_file() and path.name not in ("seconds.json", "report.html")]
    before = {path: path.stat().st_mtime_ns for path in watched}
    report = (out / "report.html").read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "sprachbund.experiments.run.STAGES",
            [(name, stage if name != "corpora" else (lambda experiment: None)) for name, stage in stages()],
        )
        run_plan(plan, out, folder / "corpora", Console(quiet=True))
    assert {path: path.stat().st_mtime_ns for path in watched} == before
    assert (out / "report.html").read_bytes()[:200] == report[:200]


def test_both_systems_had_one_budget(finished):
    from sprachbund.config import read_yaml

    folder, _, _ = finished
    recipes = {run: read_yaml(folder / "out" / run / "recipe.yaml") for run in ("finetune", "scratch")}
    for recipe in recipes.values():
        recipe.pop("init"), recipe.pop("tokenizer")
    assert recipes["finetune"] == recipes["scratch"]


def test_findings_tell_the_systems_apart(finished):
    folder, plan, _ = finished
    findings = collect_findings(plan, Places(folder / "out", folder / "corpora"), {"x": 1.0}, describe_hardware())
    assert {(system.system, system.decoding, system.test_set) for system in findings.systems} == {
        (system, decoding, test_set)
        for system in ("pre-trained", "from scratch")
        for decoding in ("greedy CTC", "attention beam")
        for test_set in ("steel-sky", "asterisk")
    }
    assert findings.attention_png.startswith(b"\x89PNG")
    assert findings.units_png.startswith(b"\x89PNG")
    assert all(clip.audio.startswith(b"OggS") for clip in findings.clips)


def test_plans_name_shipped_recipes():
    for plan in PLANS.values():
        assert {plan.pretraining, plan.recognition} <= set(shipped_recipes())
