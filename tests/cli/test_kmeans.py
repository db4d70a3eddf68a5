from pathlib import Path

import joblib
import numpy as np
import pytest
import typer
from sklearn.cluster import MiniBatchKMeans
from typer.testing import CliRunner, Result

import tiny
from sprachbund.cli.kmeans import export_km, import_km
from sprachbund.errors import RecipeError, SprachbundError, VocabularyError
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.tokens.units import UnitModel

app = typer.Typer()
app.command("import-km")(import_km)
app.command("export-km")(export_km)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_refused(result: Result, kind: type[SprachbundError], *words: str) -> None:
    assert isinstance(result.exception, kind), result
    assert all(word in str(result.exception) for word in words), result.exception


@pytest.fixture
def centroid_file(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).standard_normal((300, 32)).astype(np.float32)
    joblib.dump(MiniBatchKMeans(5, n_init=1, random_state=0).fit(frames), tmp_path / "units.km")
    return tmp_path / "units.km"


def test_there_and_back(centroid_file: Path, tmp_path: Path):
    found = run("import-km", centroid_file, "--feature", "mine", "--frame-shift", 0.02, "--out", tmp_path / "units")
    assert found.exit_code == 0, found.output
    model = UnitModel.load(tmp_path / "units")
    assert (model.num_units, model.feature, model.frame_shift) == (5, "mine", 0.02)
    assert model.fingerprint[:16] in found.output
    assert "5 units of 32 channels" in found.output
    written = run("export-km", tmp_path / "units", "--out", tmp_path / "again.km")
    assert written.exit_code == 0, written.output
    assert np.array_equal(joblib.load(tmp_path / "again.km").cluster_centers_, model.centroids)


def test_units_of_an_encoder_are_named_after_it(centroid_file: Path, tmp_path: Path):
    folder = tiny.write_model_folder(tmp_path / "model")
    found = run("import-km", centroid_file, "--encoder", folder, "--layer", 2, "--out", tmp_path / "units")
    assert found.exit_code == 0, found.output
    model, features = UnitModel.load(tmp_path / "units"), EncoderFeatures(load_encoder(folder), 2)
    assert (model.feature, model.frame_shift) == (features.name, 0.02)


def test_what_does_not_fit_is_refused(centroid_file: Path, tmp_path: Path):
    folder, out = tiny.write_model_folder(tmp_path / "model"), tmp_path / "units"
    assert_refused(
        run("import-km", centroid_file, "--encoder", folder, "--layer", 3, "--out", out), RecipeError, "layer"
    )
    narrow = tmp_path / "narrow.km"
    joblib.dump(MiniBatchKMeans(2, n_init=1).fit(np.eye(4, dtype=np.float32)), narrow)
    refused = run("import-km", narrow, "--encoder", folder, "--layer", 1, "--out", out)
    assert_refused(refused, VocabularyError, "not of this encoder", "4 channels, the encoder has 32")
    assert_refused(run("import-km", tmp_path / "none.km", "--out", out), VocabularyError, "none.km", "No such file")
    assert_refused(run("export-km", tmp_path / "none", "--out", tmp_path / "x.km"), VocabularyError, "none")
    assert not out.exists()
    assert not (tmp_path / "x.km").exists()


def test_a_trap_writes_nothing(tmp_path: Path):
    joblib.dump(tiny.Trap(f"touch {tmp_path / 'marker'}"), tmp_path / "trap.km")
    assert_refused(run("import-km", tmp_path / "trap.km", "--out", tmp_path / "units"), VocabularyError, "posix.system")
    assert not (tmp_path / "marker").exists()
    assert not (tmp_path / "units").exists()
