import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import tiny
from probing_data import aligned_cuts
from sprachbund.cli.probe import Task, app
from sprachbund.data.storage.manifest import write_cuts
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.evaluation.probe_data import ProbeTask
from sprachbund.evaluation.probe_report import load_report


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    tiny.write_hubert_folder(folder / "model", seed=7)
    for name, count in (("train", 12), ("valid", 4), ("test", 6)):
        write_cuts(aligned_cuts(folder / "speech", count, name=name, seed=count), folder / f"{name}.jsonl.gz")
    tiny.write_corpus(folder / "plain", 2)
    return folder


def probe(place: Path, model: object, out: Path, *options: object, **sets: Path) -> Result:
    manifests = {name: sets.get(name, place / f"{name}.jsonl.gz") for name in ("train", "valid", "test")}
    given = [part for name, manifest in manifests.items() for part in (f"--{name}", manifest)]
    return run(model, *given, "--out", out, "--epochs", 2, "--seeds", 1, *options)


@pytest.mark.parametrize("task", list(ProbeTask))
@pytest.mark.parametrize("model", ["model", "mfcc"])
def test_figures_are_said_and_written(place: Path, tmp_path: Path, task: ProbeTask, model: str):
    folder = place / model if model == "model" else model
    result = probe(place, folder, tmp_path / "probe.json", "--task", task.value, "--seeds", 2)
    assert result.exit_code == 0, result.output
    report = load_report(tmp_path / "probe.json")
    assert (report.task, len(report.seeds), report.config.epochs) == (task, 2, 2)
    assert f"{100 * report.rate.rate:.1f} %" in result.stdout
    assert "train              12 clips" in result.stdout
    assert len(report.seeds[0].layer_weights) == (3 if model == "model" else 1)
    assert (tmp_path / "features").is_dir()


def test_untrained_weights_and_a_cache_elsewhere(place: Path, tmp_path: Path):
    out, options = tmp_path / "a" / "probe.json", ("--task", "frames", "--cache", tmp_path / "cache")
    assert probe(place, place / "model", out, *options, "--untrained").exit_code == 0
    report = load_report(out)
    assert report.encoder.endswith("model, untrained")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["probe.json"]
    assert probe(place, place / "model", out, *options).exit_code == 0
    assert not set(load_report(out).seeds[0].features) & set(report.seeds[0].features)


def test_less_speech_can_be_learned_from(place: Path, tmp_path: Path):
    assert probe(place, "mfcc", tmp_path / "p.json", "--task", "phones", "--max-hours", 0.0012).exit_code == 0
    report = load_report(tmp_path / "p.json")
    assert 1 <= report.sets["train"].clips < 12
    assert report.sets["train"].seconds <= 0.0012 * 3600
    assert report.sets["test"].clips == 6


def test_several_manifests_make_one_set(place: Path, tmp_path: Path):
    more = aligned_cuts(tmp_path / "more", 3, name="more", seed=9)
    write_cuts(more, tmp_path / "more.jsonl.gz")
    options = ("--task", "characters", "--train", tmp_path / "more.jsonl.gz")
    assert probe(place, "mfcc", tmp_path / "p.json", *options).exit_code == 0
    assert load_report(tmp_path / "p.json").sets["train"].clips == 15


def test_two_probes_are_compared(place: Path, tmp_path: Path):
    assert probe(place, "mfcc", tmp_path / "mfcc.json", "--task", "frames").exit_code == 0
    result = probe(
        place, place / "model", tmp_path / "model.json", "--task", "frames", "--against", tmp_path / "mfcc.json"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].startswith("frame error rate of ")
    assert "against mfcc: " in result.stdout
    (tmp_path / "bad.json").write_text(json.dumps({"task": "frames"}))
    bad = probe(place, "mfcc", tmp_path / "never.json", "--task", "frames", "--against", tmp_path / "bad.json")
    assert isinstance(bad.exception, DataError)
    assert not (tmp_path / "never.json").exists()


def test_bad_input_is_refused_before_anything_is_computed(place: Path, tmp_path: Path):
    plain = place / "plain" / "clip.jsonl.gz"
    for task, words in (("phones", "tokens align"), ("frames", "tokens align"), ("characters", "name their speakers")):
        result = probe(place, "mfcc", tmp_path / "p.json", "--task", task, train=plain)
        assert isinstance(result.exception, DataError)
        assert words in str(result.exception)
    overlap = probe(place, "mfcc", tmp_path / "p.json", "--task", "phones", test=place / "train.jsonl.gz")
    assert isinstance(overlap.exception, DataError)
    assert "12 clips are in the training set" in str(overlap.exception)
    missing = probe(place, "mfcc", tmp_path / "p.json", "--task", "phones", valid=tmp_path / "none.jsonl")
    assert isinstance(missing.exception, DataError)
    weightless = probe(place, "mfcc", tmp_path / "p.json", "--task", "phones", "--untrained")
    assert isinstance(weightless.exception, RecipeError)
    nowhere = probe(place, tmp_path / "none", tmp_path / "p.json", "--task", "phones")
    assert isinstance(nowhere.exception, CheckpointError)
    assert probe(place, "mfcc", tmp_path / "p.json", "--task", "singing").exit_code == 2
    assert not list(tmp_path.iterdir())


def test_the_tasks_are_those_of_probes():
    assert [task.value for task in Task] == [task.value for task in ProbeTask]
