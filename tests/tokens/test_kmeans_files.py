import pickle
import sys
import zlib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN, KMeans, MiniBatchKMeans

from sprachbund.errors import VocabularyError
from sprachbund.tokens import kmeans_files
from sprachbund.tokens.kmeans_files import read_kmeans_file, write_kmeans_file
from sprachbund.tokens.units import UnitModel
from tiny import Trap

FRAMES = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32)
COMPRESSIONS = {"none": 0, "zlib": 3, "gzip": ("gzip", 3), "bz2": ("bz2", 3), "xz": ("xz", 1), "lzma": ("lzma", 1)}


def fitted(kind: Any = MiniBatchKMeans, **changes: Any) -> Any:
    settings = {"n_clusters": 7, "n_init": 1, "random_state": 0}
    return kind(**settings | changes).fit(FRAMES)


def read(path: Path) -> UnitModel:
    return read_kmeans_file(path, feature="hubert:abc:6", frame_shift=0.02)


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kind", [KMeans, MiniBatchKMeans], ids=["whole", "batches"])
def test_units_are_those_of_scikit_learn(kind: Any, compression: str, tmp_path: Path):
    estimator = fitted(kind, random_state=np.random.RandomState(3))
    joblib.dump(estimator, tmp_path / "units.km", compress=COMPRESSIONS[compression])
    model = read(tmp_path / "units.km")
    assert (model.feature, model.frame_shift, model.num_units) == ("hubert:abc:6", 0.02, 7)
    assert np.array_equal(model.centroids, estimator.cluster_centers_)
    assert np.array_equal(model.assign(FRAMES), estimator.predict(FRAMES))


@pytest.mark.parametrize("protocol", range(2, 6))
def test_files_of_older_and_newer_protocols_are_read(protocol: int, tmp_path: Path):
    estimator = fitted()
    joblib.dump(estimator, tmp_path / "units.km", protocol=protocol)
    assert np.array_equal(read(tmp_path / "units.km").centroids, estimator.cluster_centers_)


@pytest.mark.parametrize("layout", [">f4", "<f8", ">f8", "<f2", "fortran"])
def test_centroids_of_any_layout_are_read(layout: str, tmp_path: Path):
    estimator = fitted()
    centroids = estimator.cluster_centers_
    changed = np.asfortranarray(centroids) if layout == "fortran" else centroids.astype(layout)
    estimator.cluster_centers_ = changed
    joblib.dump(estimator, tmp_path / "units.km")
    assert np.array_equal(read(tmp_path / "units.km").centroids, changed.astype(np.float32))


def test_files_of_old_scikit_learn_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Before 0.22 the module had another name, before joblib 1.2 arrays stood there without padding."""
    module = type(sys)("sklearn.cluster.k_means_")
    old = type("MiniBatchKMeans", (), {"__module__": module.__name__})
    module.MiniBatchKMeans = old  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(joblib.numpy_pickle.NumpyArrayWrapper, "safe_get_numpy_array_alignment_bytes", lambda _: None)
    monkeypatch.setattr(joblib.numpy_pickle, "NUMPY_ARRAY_ALIGNMENT_BYTES", None)
    estimator = old()
    estimator.__dict__.update(fitted().__dict__)
    wrapper = joblib.numpy_pickle.NumpyArrayWrapper
    initial = wrapper.__init__

    def without_padding(self: Any, *arguments: Any, **options: Any) -> None:
        initial(self, *arguments, **options)
        del self.numpy_array_alignment_bytes

    monkeypatch.setattr(wrapper, "__init__", without_padding)
    joblib.dump(estimator, tmp_path / "units.km")
    assert np.array_equal(read(tmp_path / "units.km").centroids, estimator.cluster_centers_)


@settings(max_examples=25, deadline=None)
@example(num_units=14, num_channels=8, seed=17)
@given(num_units=st.integers(1, 20), num_channels=st.integers(1, 9), seed=st.integers(0, 99))
def test_written_files_load_in_joblib_and_predict_the_same(
    num_units: int, num_channels: int, seed: int, tmp_path_factory: Any
):
    generator = np.random.default_rng(seed)
    model = UnitModel(generator.standard_normal((num_units, num_channels)).astype(np.float32), "mfcc", 0.01)
    path = tmp_path_factory.mktemp("written") / "units.km"
    write_kmeans_file(model, path)
    estimator = joblib.load(path)
    frames = generator.standard_normal((50, num_channels)).astype(np.float32)
    assert isinstance(estimator, MiniBatchKMeans)
    # Ours are the nearest to the last bit; scikit-learn rounds to single precision, which decides ties its own way.
    distances = ((frames[:, None].astype(np.float64) - model.centroids) ** 2).sum(axis=2)
    assert np.array_equal(model.assign(frames), distances.argmin(axis=1))
    nearest = np.partition(distances, range(min(2, num_units)), axis=1)
    is_clear = np.ones(len(frames), bool) if num_units == 1 else nearest[:, 1] - nearest[:, 0] > 1e-4
    assert np.array_equal(estimator.predict(frames)[is_clear], model.assign(frames)[is_clear])
    assert read_kmeans_file(path, feature="mfcc", frame_shift=0.01) == model


def test_nothing_is_executed(tmp_path: Path):
    marker, path = tmp_path / "marker", tmp_path / "trap.km"
    hidden = fitted()
    hidden.cluster_centers_ = np.array([[Trap(f"touch {marker}")]], dtype=object)
    attribute = fitted()
    attribute.extra = Trap(f"touch {marker}")
    for content in (Trap(f"touch {marker}"), attribute, hidden):
        for compression in (0, 3):
            joblib.dump(content, path, compress=compression)
            joblib.load(path)
            assert marker.exists(), "the payload does no harm, so the test would show nothing"
            marker.unlink()
            with pytest.raises(VocabularyError, match=r"(names 'posix\.system'|not numbers).*Nothing in it was run"):
                read(path)
            assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"cluster_centers_": FRAMES}, "holds no k-means"),
        (FRAMES, "holds no k-means"),
        (MiniBatchKMeans(3), "has not been fitted"),
        (DBSCAN().fit(FRAMES), "names 'sklearn.cluster._dbscan.DBSCAN'"),
    ],
    ids=["mapping", "array", "unfitted", "other"],
)
def test_other_content_is_refused(content: Any, told: str, tmp_path: Path):
    joblib.dump(content, tmp_path / "other.km")
    with pytest.raises(VocabularyError, match=told):
        read(tmp_path / "other.km")


@pytest.mark.parametrize(
    "change", [{"shape": (1 << 62, 6)}, {"shape": (-1, 6)}, {"shape": 7}, {"dtype": "f4"}, {"shape": (1, 1) * 5}]
)
def test_impossible_arrays_are_refused(change: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wrapper = joblib.numpy_pickle.NumpyArrayWrapper
    monkeypatch.setattr(wrapper, "__getstate__", lambda self: {**self.__dict__, **change}, raising=False)
    joblib.dump(fitted(), tmp_path / "units.km")
    with pytest.raises(VocabularyError, match=r"impossible shape|unknown kind|not numbers|truncated"):
        read(tmp_path / "units.km")


def test_values_that_are_not_finite_are_refused(tmp_path: Path):
    estimator = fitted()
    estimator.cluster_centers_[2, 3] = np.nan
    joblib.dump(estimator, tmp_path / "units.km")
    with pytest.raises(VocabularyError, match="not finite"):
        read(tmp_path / "units.km")


def test_small_files_that_unpack_to_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kmeans_files, "LARGEST", 1 << 20)
    for compression in COMPRESSIONS.values():
        joblib.dump(np.zeros(1 << 18), tmp_path / "bomb.km", compress=compression)
        with pytest.raises(VocabularyError, match="more than 1 MiB"):
            read(tmp_path / "bomb.km")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_truncated_files_are_refused(compression: str, tmp_path: Path):
    joblib.dump(fitted(), tmp_path / "units.km", compress=COMPRESSIONS[compression])
    content = (tmp_path / "units.km").read_bytes()
    for end in range(0, len(content) - 20, 29):
        (tmp_path / "cut.km").write_bytes(content[:end])
        with pytest.raises(VocabularyError, match=r"this k-means file cannot be (used|read)"):
            read(tmp_path / "cut.km")


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x80", b"\x78", b"BZh", b"\x1f\x8b", pickle.dumps(1), zlib.compress(b"a")]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path):
    (tmp_path / "other.km").write_bytes(content)
    with pytest.raises(VocabularyError, match=r"this k-means file cannot be (used|read)"):
        read(tmp_path / "other.km")
    with pytest.raises(VocabularyError, match="No such file"):
        read(tmp_path / "none.km")
