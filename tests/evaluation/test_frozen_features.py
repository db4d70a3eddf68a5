import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse.cut import PaddingCut

import tiny
from sprachbund.data.frame_reader import MfccFrames
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.errors import CheckpointError, DataError, RecipeError
from sprachbund.evaluation.frozen_features import (
    FeatureStore,
    LayerFeatures,
    encoder_features,
    mfcc_features,
    paired_mfcc_features,
    untrained,
)
from sprachbund.lengths import frames_from_samples
from sprachbund.models.features import EncoderFeatures

LENGTHS = st.integers(1, 9_000)


@pytest.mark.parametrize("make", [tiny.hubert_model, tiny.tiny_model])
def test_layers_are_those_of_one_reader_each(make):
    model = make()
    features = encoder_features(model)
    assert features.num_layers == model.num_layers + 1
    assert features.fields == ("layer_0", "layer_1", "layer_2")
    waveform = tiny.tone(7_000)
    for layer, array in enumerate(features.read(waveform)):
        reader = EncoderFeatures(model, layer)
        assert reader.name == features.names[layer]
        assert (reader.frame_shift, reader.num_channels) == (features.frame_shift, features.num_channels)
        np.testing.assert_allclose(array, reader(waveform), atol=1e-5)


def test_a_normalised_encoder_hears_no_loudness():
    features = encoder_features(tiny.hubert_model(is_normalized=True), [2])
    waveform = tiny.tone(7_000)
    np.testing.assert_allclose(features.read(waveform)[0], features.read(0.5 * waveform)[0], atol=1e-2)


@settings(deadline=None, max_examples=25)
@given(num_samples=LENGTHS)
def test_pairs_of_mfcc_are_as_many_as_frames_of_an_encoder(num_samples: int):
    waveform = tiny.tone(num_samples)
    (pairs,) = paired_mfcc_features().read(waveform)
    (encoded,) = ENCODER.read(waveform)
    assert len(pairs) == len(encoded) == frames_from_samples(num_samples)
    plain = MfccFrames()(waveform)
    assert np.array_equal(pairs.reshape(-1, 39), plain[: 2 * len(pairs)])


ENCODER = encoder_features(tiny.hubert_model(), [0])


@pytest.mark.parametrize("layers", [[3], [-1], [1, 1], []], ids=["beyond", "negative", "twice", "none"])
def test_layers_that_are_not_there_are_refused(layers: list[int]):
    with pytest.raises(RecipeError, match="from 0 to 2"):
        encoder_features(tiny.hubert_model(), layers)


def test_untrained_weights_come_from_the_seed_alone():
    model = tiny.hubert_model(5)
    state = torch.random.get_rng_state()
    names = [encoder_features(untrained(model, seed)).names for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert names[0] == names[1] != names[2]
    assert encoder_features(model).names not in names
    assert untrained(model, 0).config == model.config
    assert not untrained(model, 0).training


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tiny.write_corpus(tmp_path / "speech", samples=[6_400, 9_000, 300])


def test_stored_features_are_the_computed_ones(manifest: Path, tmp_path: Path):
    features = encoder_features(tiny.hubert_model())
    halves, singles = (FeatureStore(features, tmp_path / "out", is_single=single) for single in (False, True))
    for store in (halves, singles):
        stored = [store.attach(cut) for cut in read_cuts(manifest)]
        write_cuts(stored, tmp_path / "kept.jsonl.gz")
        for cut in read_cuts(tmp_path / "kept.jsonl.gz"):
            for place, field in enumerate(features.fields):
                wanted = features.read(read_waveform(cut))[place]
                array = cut.load_custom(field)
                assert array.dtype == (np.float32 if store.is_single else np.float16)
                assert np.array_equal(array, wanted.astype(array.dtype))
                assert cut.custom[f"{field}_name"] == features.names[place]
    # Single precision serves both.
    assert halves.keep(stored[0]) == len(features.read(read_waveform(stored[0]))[0])
    assert np.load(halves.paths(stored[0])[0]).dtype == np.float32


def test_a_part_of_a_cut_loads_the_features_of_its_part(manifest: Path, tmp_path: Path):
    store = FeatureStore(encoder_features(tiny.hubert_model(), [1]), tmp_path / "out")
    cut = store.attach(read_cuts(manifest)[1])
    whole = cut.load_custom("layer_1")
    part = cut.truncate(offset=0.2, duration=0.2)
    assert np.array_equal(part.load_custom("layer_1"), whole[10:20])
    # A part on its own has features of its own, which have not heard the rest.
    plain = read_cuts(manifest)[1].truncate(offset=0.2, duration=0.2)
    assert store.paths(plain) != store.paths(cut)


def test_short_cuts_have_no_frames(manifest: Path, tmp_path: Path):
    store = FeatureStore(encoder_features(tiny.hubert_model()), tmp_path / "out")
    cut = store.attach(read_cuts(manifest)[2])
    assert store.keep(cut) == 0
    assert cut.load_custom("layer_1").shape == (0, 32)
    assert FeatureStore(paired_mfcc_features(), tmp_path / "out").keep(cut) == 0


def counting(features: LayerFeatures, calls: list[int]) -> LayerFeatures:
    def read(waveform):
        calls.append(len(waveform))
        return features.read(waveform)

    return LayerFeatures(features.names, features.fields, features.frame_shift, features.num_channels, read)


def test_only_what_is_missing_is_computed(manifest: Path, tmp_path: Path):
    calls: list[int] = []
    store = FeatureStore(counting(encoder_features(tiny.hubert_model()), calls), tmp_path / "out")
    cuts = list(read_cuts(manifest))
    frames = [store.keep(cut) for cut in cuts]
    assert len(calls) == 3
    assert [store.keep(cut) for cut in cuts] == frames
    assert len(calls) == 3
    # An interrupted run leaves a layer out; a damaged disk cuts a file short; another program writes other arrays.
    store.paths(cuts[0])[1].unlink()
    store.paths(cuts[1])[0].write_bytes(store.paths(cuts[1])[0].read_bytes()[:60])
    np.save(store.paths(cuts[2])[2], np.zeros((4, 3), dtype=np.float16))
    assert [store.keep(cut) for cut in cuts] == frames
    assert len(calls) == 6
    assert [store.keep(cut) for cut in cuts] == frames
    assert len(calls) == 6


def test_other_weights_layers_and_recordings_have_other_files(manifest: Path, tmp_path: Path):
    cuts = list(read_cuts(manifest))
    moved = list(read_cuts(tiny.write_corpus(tmp_path / "other", samples=[6_400, 9_000, 300])))
    stores = [FeatureStore(encoder_features(tiny.hubert_model(seed)), tmp_path / "out") for seed in (0, 1)]
    files = [path for store in stores for cut in (*cuts, *moved) for path in store.paths(cut)]
    assert len(set(files)) == len(files)


def test_one_recording_has_one_place_whatever_way_a_manifest_takes(manifest: Path, tmp_path: Path):
    write_cuts(read_cuts(manifest), tmp_path / "a" / "b" / "copy.jsonl")
    line = (tmp_path / "a" / "b" / "copy.jsonl").read_text().splitlines()[0]
    assert json.loads(line)["recording"]["sources"][0]["source"].startswith("../../speech")
    store = FeatureStore(mfcc_features(), tmp_path / "out")
    copies = read_cuts(tmp_path / "a" / "b" / "copy.jsonl")
    assert [store.paths(cut) for cut in copies] == [store.paths(cut) for cut in read_cuts(manifest)]


def of_constant(value: float) -> LayerFeatures:
    return LayerFeatures(("c:0",), ("c",), 0.02, 2, lambda waveform: [np.full((3, 2), value, dtype=np.float32)])


def test_numbers_beyond_half_precision_are_kept_whole(manifest: Path, tmp_path: Path):
    store = FeatureStore(of_constant(1e6), tmp_path / "out")
    cut = store.attach(read_cuts(manifest)[0])
    assert (cut.load_custom("c") == np.float32(1e6)).all()


def test_what_is_no_number_is_refused(manifest: Path, tmp_path: Path):
    store = FeatureStore(of_constant(np.nan), tmp_path / "out")
    with pytest.raises(CheckpointError, match="not all numbers"):
        store.keep(read_cuts(manifest)[0])
    assert not (tmp_path / "out").exists()


def test_cuts_without_a_recording_of_their_own_are_refused(tmp_path: Path):
    padding = PaddingCut("p", duration=1.0, sampling_rate=16_000, feat_value=0.0, num_samples=16_000)
    with pytest.raises(DataError, match="no recording in one file"):
        FeatureStore(mfcc_features(), tmp_path).keep(padding)
