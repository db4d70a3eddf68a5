import json

import numpy as np
import pytest
import torch

import tiny
from decoding.phone_models import SYMBOLS, write_ctc_model, write_phone_model
from sprachbund.decoding.phones.model import known_phone_model, load_phone_model
from sprachbund.errors import CheckpointError
from sprachbund.tokens.phones import phone_symbols


def test_probabilities_are_those_of_phones(tmp_path):
    model = load_phone_model(write_phone_model(tmp_path / "model"))
    assert (model.symbols, model.is_ctc, model.has_places) == (SYMBOLS, False, False)
    assert model.symbols[model.silence] == "SIL"
    assert model.frame_shift == pytest.approx(0.02)
    waveform = tiny.tone(8000)
    heard = model.hear(waveform)
    assert heard.shape == (24, len(SYMBOLS))
    torch.testing.assert_close(heard.exp().sum(dim=1), torch.ones(24))
    # The first four outputs are marks; no frame is one of them.
    encoded = model.encoder.encode_speech(torch.from_numpy(waveform)[None], torch.tensor([8000]))
    logits = model.encoder.unit_logits(encoded.states)[0, :, 4:]
    torch.testing.assert_close(heard, logits.log_softmax(dim=1))


def test_word_places_are_told(tmp_path):
    model = load_phone_model(write_phone_model(tmp_path / "model", places=True))
    assert model.symbols == phone_symbols(places=True)
    assert model.has_places


def test_the_blank_of_ctc_is_silence(tmp_path):
    model = load_phone_model(write_ctc_model(tmp_path / "model"))
    assert model.is_ctc
    assert sorted(model.symbols) == sorted(SYMBOLS)
    waveform = tiny.tone(6400)
    encoded = model.encoder.encode_speech(torch.from_numpy(waveform)[None], torch.tensor([6400]))
    logits = model.encoder.ctc_logits(encoded)[0]
    heard = model.hear(waveform)
    # Differences of logits stay, whatever is left out.
    place = model.symbols.index("AA")
    wanted = logits[:, -1] - logits[:, 4 + SYMBOLS.index("AA")]
    torch.testing.assert_close(heard[:, model.silence] - heard[:, place], wanted)


@pytest.mark.parametrize("num_samples", [0, 399])
def test_sounds_without_a_frame_give_none(tmp_path, num_samples):
    model = load_phone_model(write_phone_model(tmp_path / "model"))
    assert model.hear(np.zeros(num_samples, dtype=np.float32)).shape == (0, len(SYMBOLS))


def test_models_that_tell_no_phones_are_refused(tmp_path):
    for folder in (tiny.write_hubert_folder(tmp_path / "units"), tiny.write_model_folder(tmp_path / "letters")):
        with pytest.raises(CheckpointError, match="does not tell phones"):
            load_phone_model(folder)


@pytest.mark.parametrize("phones", ["SIL AA", "SIL " * 41, "", 7])
def test_names_that_do_not_fit_the_weights_are_refused(tmp_path, phones):
    folder = write_phone_model(tmp_path / "model")
    header = json.loads((folder / "config.json").read_text())
    header["facts"]["phones"] = phones
    (folder / "config.json").write_text(json.dumps(header))
    with pytest.raises(CheckpointError, match="does not tell phones"):
        load_phone_model(folder)


def test_a_model_that_changes_meanwhile_is_noticed(tmp_path):
    folder = write_phone_model(tmp_path / "model")
    fingerprint = load_phone_model(folder).fingerprint
    assert known_phone_model(folder, fingerprint).fingerprint == fingerprint
    write_phone_model(folder, seed=1)
    known_phone_model.cache_clear()
    with pytest.raises(CheckpointError, match="was changed"):
        known_phone_model(folder, fingerprint)
