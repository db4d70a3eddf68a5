from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny
from models.hubert.sizes import KINDS, build
from sprachbund.checkpoints.store import StoredModel, save_model
from sprachbund.config import to_mapping
from sprachbund.data.frame_reader import MfccFrames
from sprachbund.errors import CheckpointError, RecipeError
from sprachbund.models.features import EncoderFeatures, encoder_fingerprint, load_encoder
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import SpeechEncoder
from sprachbund.models.speecht5.model import SpeechT5
from sprachbund.signal.features import mfcc, normalize_waveform

ENCODERS: dict[str, SpeechEncoder] = {
    "hubert": build(),
    "normalised": build(is_normalized=True, **KINDS["pre_norm"]),
    "speecht5": tiny.tiny_model(),
}
each_encoder = pytest.mark.parametrize("name", ENCODERS)


def test_cepstra_are_those_of_the_signal_room():
    reader, waveform = MfccFrames(), tiny.tone(5000)
    np.testing.assert_array_equal(reader(waveform), mfcc(waveform))
    assert (reader.name, reader.frame_shift, reader(waveform).shape[1]) == ("mfcc", 0.01, reader.num_channels)


@each_encoder
@settings(deadline=None, max_examples=5)
@given(num_samples=st.integers(0, 5000), layer=st.integers(0, 2))
def test_frames_are_the_states_of_the_layer(name: str, num_samples: int, layer: int):
    model = ENCODERS[name]
    reader, waveform = EncoderFeatures(model, layer), tiny.tone(num_samples, seed=num_samples)
    frames = reader(waveform)
    assert frames.dtype == np.float32
    assert frames.shape == (max(num_samples - 80, 0) // 320, reader.num_channels)
    if len(frames) == 0:
        return
    heard = normalize_waveform(waveform) if model.config.is_normalized else waveform
    with torch.no_grad():
        states = model.layer_states(torch.from_numpy(heard)[None], torch.tensor([num_samples]), [layer]).states[0]
    np.testing.assert_array_equal(frames, states[0].numpy())


def test_loudness_is_heard_unless_waveforms_are_normalised():
    waveform = tiny.tone(5000)
    for name, is_heard in (("hubert", True), ("normalised", False)):
        reader = EncoderFeatures(replace_norm(ENCODERS[name]), 0)
        difference = np.abs(reader(waveform) - reader(np.float32(0.25) * waveform)).max()
        assert (difference > 1e-2) == is_heard, name


def replace_norm(model: SpeechEncoder) -> SpeechEncoder:
    """Without the norm over time, which would take the loudness away as well."""
    torch.manual_seed(0)
    return Hubert(replace(model.config, conv_norm="layer", conv_bias=True, has_feature_norm=False)).eval()


@each_encoder
def test_the_same_waveform_always_gives_the_same_frames(name: str):
    model = ENCODERS[name]
    reader = EncoderFeatures(model.train(), 2)
    assert not model.training  # no dropout
    first = reader(tiny.tone(4000))
    reader(tiny.tone(9000, seed=1))
    np.testing.assert_array_equal(reader(tiny.tone(4000)), first)


@each_encoder
def test_a_reader_says_what_its_frames_are(name: str):
    model = ENCODERS[name]
    reader = EncoderFeatures(model, 1)
    kind = "speecht5" if name == "speecht5" else "hubert"
    assert reader.name == f"{kind}:{encoder_fingerprint(model)[:16]}:1"
    assert (reader.frame_shift, reader.num_channels) == (0.02, model.dim)


def test_the_name_tells_other_weights_settings_and_layers_apart():
    models = [build(), build(seed=1), build(is_normalized=True)]
    names = [EncoderFeatures(model, layer).name for model in models for layer in (0, 1)]
    assert len(set(names)) == 6
    assert EncoderFeatures(build(), 0).name == names[0]


@pytest.mark.parametrize("layer", [-1, 4])
def test_a_layer_that_is_not_there_is_refused(layer: int):
    with pytest.raises(RecipeError, match=rf"no such layer \(given: {layer}\). Name a layer from 0 to 3"):
        EncoderFeatures(build(), layer)


def save(folder: Path, kind: str, model: Any, tokenizer: Any) -> Path:
    save_model(folder, StoredModel(kind, to_mapping(model.config), model.state_dict(), tokenizer))
    return folder


def test_every_kind_of_model_folder_is_an_encoder(tmp_path: Path):
    hubert, speecht5 = build(vocab_size=None), tiny.tiny_model()
    for kind, model, tokenizer in (("hubert", hubert, None), ("speecht5", speecht5, tiny.character_tokenizer())):
        loaded = load_encoder(save(tmp_path / kind, kind, model, tokenizer))
        assert type(loaded) is (Hubert if kind == "hubert" else SpeechT5)
        assert encoder_fingerprint(loaded) == encoder_fingerprint(model)
        waveform = tiny.tone(4000)
        np.testing.assert_array_equal(EncoderFeatures(loaded, 1)(waveform), EncoderFeatures(model, 1)(waveform))


def test_another_folder_is_no_encoder(tmp_path: Path):
    with pytest.raises(CheckpointError, match="not a model folder"):
        load_encoder(tmp_path)


def test_the_name_of_an_encoder_follows_weights_and_settings():
    torch.manual_seed(0)
    model = tiny.tiny_model()
    name = encoder_fingerprint(model)
    same = type(model)(model.config)
    same.load_state_dict(model.state_dict())
    assert encoder_fingerprint(same) == name
    same.config = replace(model.config, is_normalized=not model.config.is_normalized)
    assert encoder_fingerprint(same) != name
    assert encoder_fingerprint(type(model)(model.config)) != name
