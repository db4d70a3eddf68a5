import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from typer.testing import CliRunner, Result

import tiny
import translated
from sprachbund.cli.tokens import app
from sprachbund.data.exporters.registry import export_corpus
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.units import load_units
from sprachbund.errors import DataError, RecipeError, SprachbundError, VocabularyError
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


def test_a_tokenizer_of_translations(tmp_path: Path) -> None:
    manifest = translated.write_corpus(tmp_path / "corpus", 5, without=(2,))
    trained = run("train-text", manifest, "--kind", "character", "--target", "de", "--out", tmp_path / "german")
    assert trained.exit_code == 0, trained.output
    tokenizer = load_tokenizer(tmp_path / "german")
    # As written: capitals, points and all, and nothing of clips without a translation.
    for place, text in enumerate(translated.TRANSLATIONS[:5]):
        assert (tokenizer.decode(tokenizer.encode(text)) == text) == (place != 2)
    refused = run("train-text", manifest, "--kind", "character", "--target", "xx", "--out", tmp_path / "none")
    assert isinstance(refused.exception, DataError) and "Known are: de, fr" in str(refused.exception)
    assert not (tmp_path / "none").exists()


def test_units_of_a_shar_are_those_of_its_manifest(manifest: Path, tmp_path: Path) -> None:
    export_corpus("shar", [manifest], tmp_path / "shar", shard_size=2)
    for source in (manifest, tmp_path / "shar"):
        assert run("fit-units", source, "--units", 5, "--out", tmp_path / "of" / source.name).exit_code == 0
    first, second = (UnitModel.load(tmp_path / "of" / name) for name in (manifest.name, "shar"))
    assert first.fingerprint == second.fingerprint


def label(manifest: Path, folder: Path, *options: object) -> Result:
    return run("label", manifest, "--model", folder.parent / "model", "--out", folder / "cuts.jsonl.gz", *options)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_shards_leave_what_one_command_leaves(manifest: Path, tmp_path: Path) -> None:
    assert run("fit-units", manifest, "--units", 5, "--out", tmp_path / "model").exit_code == 0
    assert label(manifest, tmp_path / "whole").exit_code == 0
    first, last = (label(manifest, tmp_path / "parts", "--shard", f"{number}/2") for number in (2, 1))
    assert first.stdout.startswith("shard 2/2: 1 of 3 cuts have units")
    assert "is written when the other shards are done" in first.output
    assert last.stdout.startswith("shard 1/2: 2 of 3 cuts have units")
    assert "3 cuts with 5 units" in last.output
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    # A manifest that is lost, or arrays that come from several machines: nothing is computed again.
    (tmp_path / "parts" / "cuts.jsonl.gz").unlink()
    for path in tmp_path.glob("*.wav"):
        path.unlink()
    assert label(manifest, tmp_path / "parts").exit_code == 0
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


@pytest.mark.parametrize("shard", ["3/2", "0/2", "two"])
def test_shards_that_cannot_be_are_refused(manifest: Path, tmp_path: Path, shard: str) -> None:
    result = label(manifest, tmp_path / "parts", "--shard", shard)
    assert isinstance(result.exception, RecipeError)
    assert not (tmp_path / "parts").exists()
    assert label(manifest, tmp_path / "parts", "--jobs", 0).exit_code == 2


def start(manifest: Path, folder: Path, shard: str) -> subprocess.Popen[bytes]:
    options = ("--model", folder.parent / "model", "--out", folder / "cuts.jsonl.gz", "--shard", shard)
    command = [sys.executable, "-m", "sprachbund", "tokens", "label", manifest, *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_arrays(folder: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while len(list(folder.rglob("[!.]*.npy"))) < number:
        assert time.monotonic() < until
        assert process.poll() is None, "the process was done before it could be killed"
        time.sleep(0.001)


@pytest.mark.slow
def test_killed_shards_go_on_and_shards_run_at_the_same_time(tmp_path: Path) -> None:
    units = tiny.unit_model()
    units.save(tmp_path / "model")
    manifest = tiny.write_corpus(tmp_path / "speech", samples=[160_000 + number for number in range(60)])
    assert label(manifest, tmp_path / "whole").exit_code == 0
    victim = start(manifest, tmp_path / "parts", "1/2")
    wait_for_arrays(tmp_path / "parts", 3, victim)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("[!.]*.npy")}
    assert 3 <= len(kept) < 30
    together = [start(manifest, tmp_path / "parts", shard) for shard in ("1/2", "2/2", "2/2")]
    assert [process.wait() for process in together] == [0, 0, 0]
    assert all(path.stat().st_mtime_ns == time_before for path, time_before in kept.items())
    left = {name: content for name, content in contents(tmp_path / "parts").items() if "/." not in name}
    assert left == contents(tmp_path / "whole")
    assert len(read_cuts(tmp_path / "parts" / "cuts.jsonl.gz")) == 60


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
