import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import tiny
from sprachbund.data.units import MFCC
from sprachbund.errors import CheckpointError, RecipeError, VocabularyError
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.models.stored_features import StoredEncoderFeatures, reader_for, reader_of
from sprachbund.tokens.units import UnitModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.write_hubert_folder(tmp_path / "model")


def units_of(reader: StoredEncoderFeatures, **changes: object) -> UnitModel:
    centroids = np.eye(4, reader.num_channels, dtype=np.float32)
    return UnitModel(centroids, **{"feature": reader.name, "frame_shift": reader.frame_shift, **changes})  # type: ignore[arg-type]  # the changes are of the two


def test_frames_are_those_of_the_encoder(folder: Path) -> None:
    reader = StoredEncoderFeatures(folder, 1)
    direct = EncoderFeatures(load_encoder(folder), 1)
    assert (reader.name, reader.frame_shift, reader.num_channels) == (direct.name, direct.frame_shift, 32)
    for samples in (16_000, 400, 399, 1):
        frames = reader(tiny.tone(samples))
        assert frames.shape == (max(0, (samples - 80) // 320), 32)
        assert np.array_equal(frames, direct(tiny.tone(samples)))


def test_frames_do_not_depend_on_threads_and_leave_them_as_they_are(folder: Path) -> None:
    reader, before = StoredEncoderFeatures(folder, 2), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append(reader(tiny.tone(48_000)).tobytes())
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(before)
    assert found[0] == found[1]


def test_a_reader_is_small_to_send(folder: Path) -> None:
    reader = StoredEncoderFeatures(folder, 1)
    sent = pickle.dumps(reader)
    assert len(sent) < 1000
    assert np.array_equal(pickle.loads(sent)(tiny.tone(8000)), reader(tiny.tone(8000)))


def test_of_no_encoder_there_are_mfcc(folder: Path) -> None:
    assert reader_of(None, None) is MFCC
    assert reader_of(folder, 2) == StoredEncoderFeatures(folder, 2)
    mfcc_units = UnitModel(np.eye(3, 39, dtype=np.float32))
    assert reader_for(mfcc_units, None) is MFCC


def test_the_unit_model_names_the_layer(folder: Path) -> None:
    for layer in range(3):
        reader = StoredEncoderFeatures(folder, layer)
        assert reader_for(units_of(reader), folder) == reader


def test_halves_of_a_choice_are_refused(folder: Path, tmp_path: Path) -> None:
    for model, layer in ((folder, None), (None, 1)):
        with pytest.raises(RecipeError, match="belong together"):
            reader_of(model, layer)
    with pytest.raises(RecipeError, match="no such layer"):
        reader_of(folder, 3)
    with pytest.raises(CheckpointError):
        reader_of(tmp_path / "none", 1)


def test_another_encoder_is_refused_with_the_mend(folder: Path, tmp_path: Path) -> None:
    reader = StoredEncoderFeatures(folder, 1)
    other = tiny.write_hubert_folder(tmp_path / "other", seed=1)
    with pytest.raises(VocabularyError, match=r"other features.*--encoder"):
        reader_for(units_of(reader), other)
    with pytest.raises(VocabularyError, match=r"other features.*--encoder"):
        reader_for(units_of(reader), None)
    with pytest.raises(VocabularyError, match=r"every 20 ms.*instead of.*every 10 ms"):
        reader_for(units_of(reader, frame_shift=0.01), folder)
    with pytest.raises(VocabularyError, match="units are of MFCC"):
        reader_for(UnitModel(np.eye(3, 39, dtype=np.float32)), folder)
    with pytest.raises(VocabularyError, match="other features"):
        reader_for(units_of(reader, feature="hubert:x:1"), folder)
