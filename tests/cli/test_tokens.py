from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from typer.testing import CliRunner, Result

from sprachbund.cli.tokens import app
from sprachbund.data.manifest import read_cuts, write_cuts
from sprachbund.data.units import load_units
from sprachbund.errors import DataError, SprachbundError, VocabularyError
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.text import load_tokenizer
from sprachbund.tokens.units import UnitModel


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    cuts = []
    generator = np.random.default_rng(0)
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        write_audio(path, (0.1 * generator.standard_normal(9600)).astype(np.float32), 16_000)
        recording = Recording(f"r{number}", [AudioSource("file", [0], str(path))], 16_000, 9600, 0.6)
        supervision = SupervisionSegment(f"s{number}", recording.id, 0.0, 0.6, text=f"Hello, {'abc'[number]}!")
        cuts.append(MonoCut(f"c{number}", 0.0, 0.6, 0, supervisions=[supervision], recording=recording))
    write_cuts(CutSet.from_cuts(cuts), tmp_path / "cuts.jsonl.gz")
    return tmp_path / "cuts.jsonl.gz"


def test_units_are_fitted_and_assigned(manifest: Path, tmp_path: Path) -> None:
    fitted = run("fit-units", manifest, "--units", 5, "--out", tmp_path / "model", "--seed", 7)
    assert fitted.exit_code == 0, fitted.output
    model = UnitModel.load(tmp_path / "model")
    assert model.num_units == 5
    assert model.fingerprint[:16] in fitted.output
    labelled = run("label", manifest, "--model", tmp_path / "model", "--out", tmp_path / "labelled" / "cuts.jsonl.gz")
    assert labelled.exit_code == 0, labelled.output
    for cut in read_cuts(tmp_path / "labelled" / "cuts.jsonl.gz"):
        assert len(load_units(cut, model.fingerprint)) >= 58
    assert (tmp_path / "labelled" / "units").is_dir()


def test_a_manifest_given_twice_is_refused(manifest: Path, tmp_path: Path) -> None:
    result = run("fit-units", manifest, manifest, "--units", 5, "--out", tmp_path / "model")
    assert isinstance(result.exception, SprachbundError)
    assert not (tmp_path / "model").exists()


def test_a_character_tokenizer_is_trained_on_files_and_manifests(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("Größe, zwei\nZEBRA\n", encoding="utf-8")
    result = run("train-text", tmp_path / "lines.txt", manifest, "--kind", "character", "--out", tmp_path / "text")
    assert result.exit_code == 0, result.output
    tokenizer = load_tokenizer(tmp_path / "text")
    assert tokenizer.decode(tokenizer.encode("hello größe zebra")) == "hello größe zebra"
    assert "H" not in tokenizer.vocabulary
    assert "," not in tokenizer.vocabulary


def test_raw_text_is_taken_as_it_is(manifest: Path, tmp_path: Path) -> None:
    result = run("train-text", manifest, "--kind", "sentencepiece", "--out", tmp_path / "text", "--raw")
    assert result.exit_code == 0, result.output
    tokenizer = load_tokenizer(tmp_path / "text")
    assert tokenizer.decode(tokenizer.encode("Hello, b!")) == "Hello, b!"


def test_the_size_of_a_vocabulary_can_be_asked_for(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("the other brother bothers the others\n" * 4)
    arguments = ("train-text", tmp_path / "lines.txt", "--kind", "sentencepiece", "--pieces", "bpe")
    result = run(*arguments, "--size", 24, "--out", tmp_path / "text")
    assert result.exit_code == 0, result.output
    assert len(load_tokenizer(tmp_path / "text").vocabulary) == 24
    refused = run(*arguments, "--out", tmp_path / "none")
    assert isinstance(refused.exception, VocabularyError)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xfa"])
def test_files_that_are_no_text_are_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lines.txt"
    if content is not None:
        path.write_bytes(content)
    result = run("train-text", path, "--kind", "character", "--out", tmp_path / "text")
    assert isinstance(result.exception, DataError)
    assert "lines.txt" in str(result.exception)


def test_options_that_cannot_be_are_refused(manifest: Path, tmp_path: Path) -> None:
    assert run("fit-units", manifest, "--units", 0, "--out", tmp_path).exit_code == 2
    assert run("train-text", manifest, "--kind", "words", "--out", tmp_path).exit_code == 2
