"""The verbs that look into models, run on folders and manifests on disk."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import analysed
import tiny
from paired_speech import paired_cuts, write_paired
from sprachbund.cli.analyze import app
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import CheckpointError, DataError, VocabularyError
from sprachbund.experiments import model_comparison


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, its unit model and a manifest with both units and an alignment."""
    analysed.write_folder(tmp_path / "model")
    tiny.unit_model().save(tmp_path / "units")
    write_paired(tmp_path, 4)
    return tmp_path


def test_agreement_is_told_written_and_drawn(folder: Path) -> None:
    given = (folder / "model", folder / "clip.jsonl.gz", "--units", folder / "units", "--clip", "clip-002")
    done = run("agreement", *given, "--out", folder / "out", "--threads", 1)
    assert done.exit_code == 0, done.output
    found = json.loads((folder / "out" / "agreement.json").read_text("utf-8"))
    assert (found["clips"], found["left_out"], found["reduced"]) == (4, {}, False)
    assert set(found["layers"]) == {"2"}
    one = found["layers"]["2"]["all"]
    assert f"{one['share']:.1%}" in done.stdout
    assert f"{one['chance']:.1%}" in done.stdout
    assert (folder / "out" / "agreement.png").read_bytes().startswith(b"\x89PNG")
    again = run("agreement", *given, "--out", folder / "again", "--reduced")
    assert again.exit_code == 0, again.output
    assert json.loads((folder / "again" / "agreement.json").read_text("utf-8"))["reduced"] is True


def test_alignments_may_be_in_another_manifest(folder: Path) -> None:
    aligned = paired_cuts(folder, 4)
    bare = [cut.drop_supervisions() for cut in read_cuts(folder / "clip.jsonl.gz")]
    write_cuts(bare, folder / "bare.jsonl.gz")
    write_cuts(aligned, folder / "aligned.jsonl.gz")
    given = ("agreement", folder / "model", folder / "bare.jsonl.gz", "--units", folder / "units")
    refused = run(*given, "--out", folder / "out")
    assert isinstance(refused.exception, DataError)
    assert "4 cuts without phones" in str(refused.exception)
    assert not (folder / "out").exists()
    done = run(*given, "--out", folder / "out", "--aligned", folder / "aligned.jsonl.gz")
    assert done.exit_code == 0, done.output


def test_layers_are_told_written_and_drawn(folder: Path) -> None:
    given = (folder / "model", folder / "clip.jsonl.gz", "--units", folder / "units", "--points", 30)
    done = run("layers", *given, "--out", folder / "out")
    assert done.exit_code == 0, done.output
    found = json.loads((folder / "out" / "layers.json").read_text("utf-8"))
    assert set(found["layers"]) == {"2"}
    assert f"{found['layers']['2']['mixing']:.1%}" in done.stdout
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["layer_02.png", "layers.json"]
    again = run("layers", *given, "--out", folder / "again")
    assert again.exit_code == 0, again.output
    for name in ("layer_02.png", "layers.json"):
        assert (folder / "again" / name).read_bytes() == (folder / "out" / name).read_bytes()


@pytest.mark.parametrize("verb", ["agreement", "layers"])
def test_what_cannot_be_analysed_is_refused_and_nothing_is_written(folder: Path, verb: str) -> None:
    hubert = tiny.write_hubert_folder(folder / "hubert")
    tiny.unit_model(seed=3).save(folder / "others")
    rest = (folder / "clip.jsonl.gz", "--out", folder / "out", "--units")
    for model, units, kind, words in (
        (hubert, "units", CheckpointError, "no Transformer that reads both speech and units"),
        (folder / "model", "others", VocabularyError, "learned other units"),
        (folder / "model", "nothing", VocabularyError, "cannot be read"),
    ):
        done = run(verb, model, *rest, folder / units)
        assert isinstance(done.exception, kind)
        assert words in str(done.exception)
    assert not (folder / "out").exists()


def test_only_a_clip_that_is_there_can_be_drawn(folder: Path) -> None:
    given = (folder / "model", folder / "clip.jsonl.gz", "--units", folder / "units", "--out", folder / "out")
    done = run("agreement", *given, "--clip", "clip-999")
    assert isinstance(done.exception, DataError)
    assert "clip-999" in str(done.exception)
    assert not (folder / "out").exists()


def test_the_table_of_models_is_written_in_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = model_comparison.Row(
        *("Toy", "tiny", 9, 1, 2, 0, 8, 2, None, None, True, False, "hidden units", False, False),
        *(("masked units",), (), "none"),
    )
    # The real rows, which take seconds, are those of tests/experiments/test_model_comparison.py.
    monkeypatch.setattr(model_comparison, "compare_models", lambda: (row,))
    for form, begin in (("markdown", "| model |"), ("csv", "model,size,"), ("json", "[")):
        told = run("models", "--format", form)
        assert told.exit_code == 0, told.output
        assert told.stdout.startswith(begin)
        assert "Toy" in told.stdout
        written = run("models", "--format", form, "--out", tmp_path / form)
        assert written.exit_code == 0, written.output
        assert (tmp_path / form).read_text("utf-8") == told.stdout
