"""The verbs of units with the layer of an encoder; those with MFCC are in test_tokens.py."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.tokens import app
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.units import load_units
from sprachbund.errors import RecipeError, VocabularyError
from sprachbund.lengths import frames_from_samples
from sprachbund.tokens.units import UnitModel


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tiny.write_corpus(tmp_path / "speech", samples=[16_000, 9_000, 300])


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return tiny.write_hubert_folder(tmp_path / "encoder")


def test_units_of_a_layer(manifest: Path, encoder: Path, tmp_path: Path) -> None:
    fitted = run("fit-units", manifest, "--units", 5, "--model", encoder, "--layer", 1, "--out", tmp_path / "units")
    assert fitted.exit_code == 0, fitted.output
    model = UnitModel.load(tmp_path / "units")
    assert (model.num_units, model.label_rate, model.feature[-2:]) == (5, 50.0, ":1")
    assert "audio hours per hour" in fitted.stderr
    out = tmp_path / "labelled" / "cuts.jsonl.gz"
    labelled = run("label", manifest, "--model", tmp_path / "units", "--encoder", encoder, "--out", out)
    assert labelled.exit_code == 0, labelled.output
    assert labelled.stdout == f"3 cuts with 5 units in {out}; 1 of them are shorter than a frame and have no unit\n"
    assert "audio hours per hour" in labelled.stderr
    for cut in read_cuts(out):
        assert len(load_units(cut, model.fingerprint)) == frames_from_samples(cut.num_samples)


def test_a_teacher_that_is_missing_or_another_is_refused(manifest: Path, encoder: Path, tmp_path: Path) -> None:
    run("fit-units", manifest, "--units", 5, "--model", encoder, "--layer", 1, "--out", tmp_path / "units")
    other = tiny.write_hubert_folder(tmp_path / "other", seed=1)
    options = ("label", manifest, "--model", tmp_path / "units", "--out", tmp_path / "labelled" / "cuts.jsonl.gz")
    for encoders in ((), ("--encoder", other)):
        refused = run(*options, *encoders)
        assert isinstance(refused.exception, VocabularyError)
        assert "--encoder" in str(refused.exception)
    half = run("fit-units", manifest, "--units", 5, "--model", encoder, "--out", tmp_path / "half")
    assert isinstance(half.exception, RecipeError)
    assert not (tmp_path / "labelled").exists()
    assert not (tmp_path / "half").exists()
