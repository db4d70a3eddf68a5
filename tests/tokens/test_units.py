import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.shapes import Array
from sprachbund.tokens.units import BLOCK_DISTANCES, UnitModel

CHANNELS = 6


def clusters(num_cuts: int = 12, seed: int = 0) -> list[tuple[str, Array]]:
    """Cuts of frames around four far centres."""
    generator = np.random.default_rng(seed)
    centres = 20 * np.eye(4, CHANNELS)
    cuts = []
    for number in range(num_cuts):
        which = generator.integers(4, size=generator.integers(20, 60))
        frames = centres[which] + generator.standard_normal((len(which), CHANNELS))
        cuts.append((f"cut-{number}", frames.astype(np.float32)))
    return cuts


def random_model(num_units: int = 50, seed: int = 0) -> UnitModel:
    return UnitModel(np.random.default_rng(seed).standard_normal((num_units, CHANNELS)).astype(np.float32))


def test_clusters_are_found() -> None:
    model = UnitModel.fit(clusters(), 4)
    assert (model.num_units, model.num_channels, model.label_rate) == (4, CHANNELS, 100.0)
    assert model.centroids.dtype == np.float32
    units = model.assign(20 * np.eye(4, CHANNELS, dtype=np.float32))
    assert sorted(units.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("reservoir_frames", [60, 100_000])
def test_the_order_of_cuts_changes_nothing(reservoir_frames: int) -> None:
    cuts = clusters()
    fitted = UnitModel.fit(cuts, 8, seed=3, reservoir_frames=reservoir_frames)
    turned = UnitModel.fit(reversed(cuts), 8, seed=3, reservoir_frames=reservoir_frames)
    assert fitted.centroids.tobytes() == turned.centroids.tobytes()
    assert fitted == turned
    assert fitted != UnitModel.fit(cuts, 8, seed=4, reservoir_frames=reservoir_frames)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2500), min_size=1, max_size=4), st.integers(0, 5))
def test_frames_get_the_same_unit_in_any_company(lengths: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    model = random_model(seed=seed)
    parts = [generator.standard_normal((length, CHANNELS)).astype(np.float32) for length in lengths]
    together = model.assign(np.concatenate(parts))
    assert together.dtype == np.int32
    assert np.array_equal(together, np.concatenate([model.assign(part) for part in parts]))


def test_every_frame_gets_its_nearest_centroid() -> None:
    model = random_model()
    frames = np.random.default_rng(9).standard_normal((BLOCK_DISTANCES // 50 + 7, CHANNELS)).astype(np.float32)
    distances = ((frames[:, None].astype(np.float64) - model.centroids[None]) ** 2).sum(axis=2)
    assert np.array_equal(model.assign(frames), distances.argmin(axis=1))


@settings(deadline=None, max_examples=30)
@given(st.floats(-6, 30), st.floats(-3, 5), st.integers(0, 99))
def test_units_are_the_nearest_at_every_size_and_distance(size: float, offset: float, seed: int) -> None:
    """Also where single precision overflows, or where a large common offset hides the differences in it."""
    generator = np.random.default_rng(seed)
    scale, shift = 10.0**size, 10.0 ** (size + offset)
    model = UnitModel((scale * generator.standard_normal((20, CHANNELS)) + shift).clip(-1e37, 1e37).astype(np.float32))
    frames = (scale * generator.standard_normal((50, CHANNELS)) + shift).clip(-1e37, 1e37).astype(np.float32)
    distances = ((frames[:, None].astype(np.float64) - model.centroids.astype(np.float64)) ** 2).sum(axis=2)
    assert np.array_equal(model.assign(frames), distances.argmin(axis=1))


def test_equally_near_centroids_give_the_lowest_id() -> None:
    rows = np.random.default_rng(2).standard_normal((5, CHANNELS)).astype(np.float32) * 1000
    model = UnitModel(np.concatenate([rows, rows, -rows]))
    assert model.assign(rows).tolist() == [0, 1, 2, 3, 4]
    # The origin is as far from a row as from its opposite.
    opposite = UnitModel(np.stack([-rows[0], rows[0]]))
    assert opposite.assign(np.zeros((2, CHANNELS), dtype=np.float32)).tolist() == [0, 0]


def test_close_calls_are_decided_by_the_frame_alone() -> None:
    """Centroids one rounding step apart in a small channel: beside large ones, products cannot tell them apart."""
    base = np.full(CHANNELS, 3e4, dtype=np.float32)
    base[0] = 1.0
    near = base.copy()
    near[0] = np.nextafter(near[0], np.float32(np.inf))
    model = UnitModel(np.stack([base, near]))
    frames = np.stack([near, base] * 700)
    assert model.assign(frames).tolist() == [1, 0] * 700


def test_no_frames_give_no_units() -> None:
    assert random_model().assign(np.zeros((0, CHANNELS), dtype=np.float32)).shape == (0,)


def test_the_fingerprint_follows_centroids_and_settings() -> None:
    model = random_model()
    moved = model.centroids.copy()
    moved[3, 2] = np.nextafter(moved[3, 2], np.float32(9))
    others = [UnitModel(moved), UnitModel(model.centroids, "hubert"), UnitModel(model.centroids, frame_shift=0.02)]
    assert len({each.fingerprint for each in [model, *others]}) == 4
    assert UnitModel(model.centroids.copy()) == model
    assert others[2].label_rate == 50.0


def test_a_saved_model_is_loaded_as_it_was(tmp_path: Path) -> None:
    model = UnitModel(random_model().centroids, "hubert layer 6", 0.02)
    model.save(tmp_path / "units")
    loaded = UnitModel.load(tmp_path / "units")
    assert loaded == model
    assert (loaded.feature, loaded.frame_shift) == ("hubert layer 6", 0.02)
    assert loaded.centroids.tobytes() == model.centroids.tobytes()
    assert sorted(path.name for path in (tmp_path / "units").iterdir()) == ["units.json", "units.safetensors"]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["units.json", "units.safetensors"]), st.floats(0, 1, exclude_max=True))
def test_truncated_files_are_refused(tmp_path_factory: pytest.TempPathFactory, name: str, share: float) -> None:
    folder = tmp_path_factory.mktemp("units")
    random_model().save(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(VocabularyError):
        UnitModel.load(folder)


@pytest.mark.parametrize(
    "description", ["[]", "{}", "1", '{"fingerprint": "0", "feature": "mfcc", "frame_shift": "x"}']
)
def test_foreign_files_are_refused(tmp_path: Path, description: str) -> None:
    random_model().save(tmp_path)
    (tmp_path / "units.json").write_text(description)
    with pytest.raises(VocabularyError, match="damaged"):
        UnitModel.load(tmp_path)
    with pytest.raises(VocabularyError, match="cannot be read"):
        UnitModel.load(tmp_path / "nowhere")


def test_parts_of_two_models_are_refused(tmp_path: Path) -> None:
    random_model(seed=0).save(tmp_path / "a")
    random_model(seed=1).save(tmp_path / "b")
    (tmp_path / "a" / "units.json").replace(tmp_path / "b" / "units.json")
    with pytest.raises(VocabularyError, match="not of one unit model"):
        UnitModel.load(tmp_path / "b")


def test_a_model_of_unusable_numbers_is_refused(tmp_path: Path) -> None:
    model = random_model()
    model.save(tmp_path)
    description = json.loads((tmp_path / "units.json").read_text())
    for shift in (0.0, -0.01, 1e-300, 1e300, float("nan")):
        (tmp_path / "units.json").write_text(json.dumps({**description, "frame_shift": shift}))
        with pytest.raises(VocabularyError, match="frame shift of speech"):
            UnitModel.load(tmp_path)
    for text in ("[" * 100_000, json.dumps({**description, "frame_shift": 10**400})):
        (tmp_path / "units.json").write_text(text)
        with pytest.raises(VocabularyError, match="a unit model is damaged"):
            UnitModel.load(tmp_path)
    with pytest.raises(VocabularyError, match="finite"):
        UnitModel(np.full((2, 3), np.nan, dtype=np.float32))


def test_features_that_do_not_fit_are_refused() -> None:
    model = random_model()
    with pytest.raises(VocabularyError, match="do not fit"):
        model.assign(np.zeros((4, CHANNELS + 1), dtype=np.float32))
    with pytest.raises(VocabularyError, match="do not fit"):
        model.assign(np.full((4, CHANNELS), np.inf, dtype=np.float32))


def test_fitting_refuses_what_cannot_be_fitted() -> None:
    cuts = clusters()
    with pytest.raises(VocabularyError, match="there twice"):
        UnitModel.fit([*cuts, cuts[0]], 4)
    with pytest.raises(VocabularyError, match="other channels"):
        UnitModel.fit([*cuts, ("wide", np.zeros((3, CHANNELS + 1), dtype=np.float32))], 4)
    with pytest.raises(VocabularyError, match="not finite"):
        UnitModel.fit([*cuts, ("nan", np.full((3, CHANNELS), np.nan, dtype=np.float32))], 4)
    for few in ([], [("silence", np.zeros((90, CHANNELS), dtype=np.float32))]):
        with pytest.raises(VocabularyError, match="fewer distinct frames"):
            UnitModel.fit(few, 4)
    with pytest.raises(VocabularyError, match="fewer distinct frames"):
        UnitModel.fit(cuts, 0)


def test_an_empty_dictionary_is_refused() -> None:
    with pytest.raises(VocabularyError, match="centroids"):
        UnitModel(np.zeros((0, CHANNELS), np.float32))
    with pytest.raises(VocabularyError, match="fewer distinct frames than units"):
        UnitModel.fit([], 4)
    with pytest.raises(VocabularyError, match="fewer distinct frames than units"):
        UnitModel.fit(clusters(), 0)
