from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import tiny
from commands import fingerprints
from sprachbund.cli.features import app
from sprachbund.data.frame_reader import MfccFrames
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.models.features import EncoderFeatures, load_encoder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    tiny.write_hubert_folder(folder / "model")
    tiny.write_corpus(folder / "speech", samples=[6_400, 9_000, 300])
    return folder


def test_layers_are_stored_as_fields_of_the_cuts(place: Path, tmp_path: Path):
    manifest = place / "speech" / "clip.jsonl.gz"
    result = run(place / "model", manifest, "--layer", 0, "--layer", 2, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    stored = tmp_path / "out" / "clip.jsonl.gz"
    expected = f"3 cuts with layer_0, layer_2 in {stored}; 1 of them are shorter than a frame"
    assert result.stdout.strip() == expected
    model = load_encoder(place / "model")
    for cut in read_cuts(stored):
        for layer in (0, 2):
            reader = EncoderFeatures(model, layer)
            array = cut.load_custom(f"layer_{layer}")
            np.testing.assert_allclose(array, reader(read_waveform(cut)), atol=5e-3)
            assert cut.custom[f"layer_{layer}_name"] == reader.name
        assert "layer_1" not in cut.custom
    # The folder can be moved.
    (tmp_path / "out").rename(tmp_path / "moved")
    with pytest.raises(OSError, match="out"):
        cut.load_custom("layer_0")
    assert read_cuts(tmp_path / "moved" / "clip.jsonl.gz")[0].load_custom("layer_0").shape == (19, 32)


def test_all_layers_and_single_precision_can_be_asked_for(place: Path, tmp_path: Path):
    manifest = place / "speech" / "clip.jsonl.gz"
    result = run(place / "model", manifest, "--layer", "all", "--float32", "--out", tmp_path)
    assert "layer_0, layer_1, layer_2" in result.stdout, result.output
    cut = read_cuts(tmp_path / "clip.jsonl.gz")[0]
    assert cut.load_custom("layer_2").dtype == np.float32


def test_mfcc_are_features_without_layers(place: Path, tmp_path: Path):
    assert run("mfcc", place / "speech" / "clip.jsonl.gz", "--out", tmp_path, "--float32").exit_code == 0
    for cut in read_cuts(tmp_path / "clip.jsonl.gz"):
        assert np.array_equal(cut.load_custom("mfcc"), MfccFrames()(read_waveform(cut)))


def test_an_interrupted_run_goes_on(place: Path, tmp_path: Path):
    manifest = place / "speech" / "clip.jsonl.gz"
    command = (place / "model", manifest, "--layer", "all", "--out", tmp_path)
    assert run(*command).exit_code == 0
    whole = fingerprints(tmp_path)
    (tmp_path / "clip.jsonl.gz").unlink()
    lost, *kept = sorted((tmp_path / "arrays").rglob("*.npy"))
    lost.unlink()
    times = {path: path.stat().st_mtime_ns for path in kept if path.name != lost.name}
    assert run(*command).exit_code == 0
    assert fingerprints(tmp_path) == whole
    assert times and all(path.stat().st_mtime_ns == time for path, time in times.items())


@pytest.mark.parametrize(
    ("model", "layers", "words"),
    [
        ("model", [], "none"),
        ("model", ["7"], "from 0 to 2"),
        ("model", ["1", "1"], "each once"),
        ("model", ["-1"], "named by numbers"),
        ("model", ["all", "1"], "named by numbers"),
        ("model", ["last"], "named by numbers"),
        ("mfcc", ["1"], "MFCC have no layers"),
    ],
)
def test_layers_that_cannot_be_are_refused(place: Path, tmp_path: Path, model: str, layers: list[str], words: str):
    options = [part for layer in layers for part in ("--layer", layer)]
    folder = place / model if model == "model" else model
    result = run(folder, place / "speech" / "clip.jsonl.gz", *options, "--out", tmp_path / "out")
    assert isinstance(result.exception, RecipeError)
    assert words in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_where_it_cannot_be_done(place: Path, tmp_path: Path):
    manifest = place / "speech" / "clip.jsonl.gz"
    before = fingerprints(place)
    own = run("mfcc", manifest, "--out", manifest.parent)
    assert isinstance(own.exception, RecipeError)
    assert "take the place" in str(own.exception)
    assert isinstance(run("mfcc", tmp_path / "none.jsonl", "--out", tmp_path / "out").exception, DataError)
    nowhere = run(tmp_path / "none", manifest, "--layer", 0, "--out", tmp_path / "out")
    assert isinstance(nowhere.exception, CheckpointError)
    assert fingerprints(place) == before
    assert not list(tmp_path.iterdir())
