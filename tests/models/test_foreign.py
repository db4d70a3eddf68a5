"""Against transformers itself, with random weights. Its import takes seconds, so it happens here alone, when needed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import tiny
from sprachbund.checkpoints.store import save_model
from sprachbund.errors import CheckpointError
from sprachbund.models.convert import convert
from sprachbund.models.features import EncoderFeatures, load_encoder
from sprachbund.models.foreign import read_foreign, write_transformers
from sprachbund.models.hubert.config import HubertConfig
from sprachbund.models.hubert.model import Hubert
from sprachbund.models.speech_encoder import SpeechEncoder, waveform_layers

LAYERS = 3
SIZES: dict[str, Any] = {
    "hidden_size": 24, "num_hidden_layers": LAYERS, "num_attention_heads": 3, "intermediate_size": 32,
    "conv_dim": [12] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
BUCKETS = {"num_buckets": 12, "max_bucket_distance": 20}  # few, so that every one of them is used
# Family, and what its configuration says beside the sizes.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "hubert base": ("Hubert", {}),
    "hubert base with biases": ("Hubert", {"conv_bias": True, "hidden_act": "gelu_new"}),
    "hubert large": ("Hubert", LARGE),
    "hubert without the norm of features": ("Hubert", {"feat_proj_layer_norm": False, "num_conv_pos_embeddings": 9}),
    "wav2vec 2.0 base": ("Wav2Vec2", {}),
    "wav2vec 2.0 large": ("Wav2Vec2", LARGE),
    "wav2vec 2.0, layers alone as in large": ("Wav2Vec2", {"do_stable_layer_norm": True, "hidden_act": "relu"}),
    "wavlm base": ("WavLM", BUCKETS),
    "wavlm large": ("WavLM", LARGE | BUCKETS),
    "data2vec": ("Data2VecAudio", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
    "data2vec with biases": (
        "Data2VecAudio",
        {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 4, "conv_bias": True},
    ),
}
CLOSE = {"rtol": 1e-5, "atol": 2e-5}  # states are about 1, and up to 10


def foreign_model(family: str, head: str = "Model", **values: Any) -> Any:
    """A model of transformers whose weights are large enough for differences to show."""
    import transformers

    config = getattr(transformers, f"{family}Config")(**(SIZES | values))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, f"{family}{head}")(config).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.dim() == 1 or "gru_rel_pos_const" in name:
                    weight.add_(0.3 * torch.randn_like(weight))
                elif "conv" not in name:
                    weight.mul_(4.0)
    return model


def write_folder(folder: Path, kind: str, head: str = "Model", **values: Any) -> Any:
    """A folder that transformers has written; return its model."""
    family, usual = KINDS[kind]
    model = foreign_model(family, head, **(usual | values))
    model.save_pretrained(folder)
    return model


def noise(num_samples: int) -> Tensor:
    return torch.randn(1, num_samples, generator=torch.Generator().manual_seed(num_samples))


@torch.no_grad()
def their_states(model: Any, waveforms: Tensor) -> list[Tensor]:
    """What the first layer reads, the outputs of layers, and in the place of the last that of the encoder."""
    result = model(waveforms, output_hidden_states=True)
    return [*result.hidden_states[:-1], result.last_hidden_state]


@torch.no_grad()
def our_states(encoder: SpeechEncoder, waveforms: Tensor, lengths: list[int]) -> tuple[Tensor, ...]:
    return encoder.layer_states(waveforms, torch.tensor(lengths), range(encoder.num_layers + 1)).states


def assert_same_states(encoder: SpeechEncoder, model: Any, *num_samples: int) -> None:
    for length in num_samples:
        ours, theirs = our_states(encoder, noise(length), [length]), their_states(model, noise(length))
        assert len(ours) == len(theirs) == LAYERS + 1
        for layer, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert 0.1 < other.std() < 10
            torch.testing.assert_close(one, other, **CLOSE, msg=lambda told, at=(length, layer): f"{at}: {told}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_is_that_of_transformers(tmp_path: Path, kind: str):
    model = write_folder(tmp_path / "model", kind)
    found = read_foreign(tmp_path / "model")
    assert found.unused == ()
    assert_same_states(found.encoder, model, 400, 1_039, 16_001)


@pytest.mark.parametrize("kind", ["hubert base", "wavlm large", "data2vec"])
def test_ours_padded_is_theirs_alone(tmp_path: Path, kind: str):
    model = write_folder(tmp_path / "model", kind)
    encoder = read_foreign(tmp_path / "model").encoder
    lengths = [9_000, 6_000, 700]
    batch = torch.zeros(3, 9_000)
    for row, length in enumerate(lengths):
        batch[row, :length] = noise(length)
    ours, theirs = our_states(encoder, batch, lengths), their_states(model, batch)
    for row, length in enumerate(lengths):
        for layer, alone in enumerate(their_states(model, noise(length))):
            torch.testing.assert_close(ours[layer][row, : alone.shape[1]], alone[0], **CLOSE)
            is_leaking = (theirs[layer][row, : alone.shape[1]] - alone[0]).abs().max() > 1e-3
            assert bool(is_leaking) == (length < 9_000) or layer == 0


HEADS: dict[str, tuple[str, str, str]] = {
    "hubert": ("hubert base", "ForCTC", "lm_head.weight"),
    "wav2vec 2.0": ("wav2vec 2.0 base", "ForPreTraining", "quantizer.codevectors"),
    "wavlm": ("wavlm base", "ForXVector", "projector.weight"),
    "data2vec": ("data2vec", "ForCTC", "lm_head.bias"),
}


@pytest.mark.parametrize("family", HEADS)
def test_weights_of_heads_are_named(tmp_path: Path, family: str):
    kind, head, name = HEADS[family]
    model = write_folder(tmp_path / "model", kind, head)
    found = read_foreign(tmp_path / "model")
    prefix = model.base_model_prefix
    heads = {key for key in load_file(tmp_path / "model" / "model.safetensors") if not key.startswith(f"{prefix}.")}
    assert name in heads
    assert set(found.unused) == heads
    assert found.facts["architecture"] == type(model).__name__
    assert_same_states(found.encoder, getattr(model, prefix), 2_000)


def test_older_files_with_the_older_spelling_are_read(tmp_path: Path):
    model = write_folder(tmp_path / "model", "hubert large")
    state = model.state_dict()
    for old, new in (
        ("weight_g", "parametrizations.weight.original0"),
        ("weight_v", "parametrizations.weight.original1"),
    ):
        state[f"encoder.pos_conv_embed.conv.{old}"] = state.pop(f"encoder.pos_conv_embed.conv.{new}")
    torch.save(state, tmp_path / "model" / "pytorch_model.bin")
    (tmp_path / "model" / "model.safetensors").unlink()
    found = read_foreign(tmp_path / "model")
    assert found.unused == ()
    assert_same_states(found.encoder, model, 2_000)


def test_weights_in_parts_are_read(tmp_path: Path):
    model = foreign_model("WavLM", **BUCKETS)
    model.save_pretrained(tmp_path / "model", max_shard_size="40KB")
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 1
    assert_same_states(read_foreign(tmp_path / "model").encoder, model, 2_000)


def test_a_missing_mask_embedding_is_told(tmp_path: Path):
    write_folder(tmp_path / "model", "hubert base", mask_time_prob=0.0)
    found = read_foreign(tmp_path / "model")
    assert any("a mask embedding of zeros" in guess for guess in found.guesses)
    assert not found.encoder.speech_prenet.mask_embedding.vector.any()


@pytest.mark.parametrize("normalizes", [False, True])
def test_features_are_those_of_their_whole_way(tmp_path: Path, normalizes: bool):
    """From the samples on, with what their preprocessor does to them."""
    import transformers

    model = write_folder(tmp_path / "model", "hubert base")
    preprocessor = transformers.Wav2Vec2FeatureExtractor(do_normalize=normalizes)
    preprocessor.save_pretrained(tmp_path / "model")
    found = read_foreign(tmp_path / "model")
    assert found.guesses == ()
    assert found.encoder.config.is_normalized == normalizes
    waveform = tiny.tone(8_000) + np.float32(0.1)
    values = preprocessor(waveform, sampling_rate=16_000, return_tensors="pt").input_values
    for layer, theirs in enumerate(their_states(model, values)):
        # Their norm adds 1e-7 to the variance, that of the original code 1e-5.
        np.testing.assert_allclose(EncoderFeatures(found.encoder, layer)(waveform), theirs[0].numpy(), atol=1e-4)


@pytest.mark.parametrize("kind", ["hubert base", "wavlm large", "data2vec"])
def test_a_converted_folder_is_the_same_encoder(tmp_path: Path, kind: str):
    model = write_folder(tmp_path / "model", kind)
    converted = convert(tmp_path / "model")
    assert converted.stored.kind == "hubert"
    assert "a folder of transformers" in converted.stored.card
    save_model(tmp_path / "ours", converted.stored)
    assert_same_states(load_encoder(tmp_path / "ours"), model, 2_000)


# Our own sizes, made smaller: normalising first, and last.
OURS: dict[str, HubertConfig] = {
    "tiny": HubertConfig.tiny(num_units=9, vocab_size=5, conv_layers=waveform_layers(16)),
    "as base": HubertConfig(
        encoder=replace(HubertConfig().encoder, dim=24, ffn_dim=40, num_layers=2, num_heads=4),
        num_units=None,
        conv_layers=waveform_layers(16),
        position_kernel=7,
        position_groups=3,
        is_normalized=True,
    ),
}


@pytest.mark.parametrize("size", OURS)
def test_ours_goes_there_and_back(tmp_path: Path, size: str):
    import transformers

    torch.manual_seed(0)
    encoder = Hubert(OURS[size]).eval()
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    unused = write_transformers(encoder, tmp_path / "theirs")
    assert all(name.startswith(("unit_predictor.", "ctc_head.")) for name in unused)
    assert (unused == ()) == (encoder.unit_predictor is None)
    back = read_foreign(tmp_path / "theirs").encoder
    weights = encoder.state_dict()
    assert back.state_dict().keys() == weights.keys() - set(unused)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in back.state_dict().items())
    assert back.config.is_normalized == encoder.config.is_normalized

    model, told = transformers.AutoModel.from_pretrained(tmp_path / "theirs", output_loading_info=True)
    assert type(model).__name__ == "HubertModel"
    assert not any(told.values()), told
    for length in (400, 8_000):
        ours, theirs = our_states(encoder, noise(length), [length]), their_states(model.eval(), noise(length))
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, **CLOSE)
    preprocessor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "theirs")
    assert (preprocessor.do_normalize, preprocessor.sampling_rate) == (encoder.config.is_normalized, 16_000)


@pytest.mark.parametrize("said", [None, [], [3], "HubertModel", {"a": 1}])
def test_an_odd_architecture_is_one_not_said(tmp_path: Path, said: object):
    write_transformers(Hubert(OURS["tiny"]), tmp_path / "model")
    change(tmp_path / "model", architectures=said)
    assert read_foreign(tmp_path / "model").facts["architecture"] == "not said"


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def change_weights(folder: Path, edit: Callable[[dict[str, Tensor]], object]) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    edit(weights)
    save_file(weights, path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "another kind": (lambda folder: change(folder, model_type="bert"), r"cannot be used as a speech encoder in .*bert"),
    "other sizes": (lambda folder: change(folder, num_hidden_layers=2), "16 weights do not fit the model"),
    "huge sizes": (lambda folder: change(folder, intermediate_size=1 << 20), "weights do not fit the model"),
    "no layers": (
        lambda folder: change(folder, conv_dim=[], conv_kernel=[], conv_stride=[]),
        "no model can be built from this configuration",
    ),
    "a text": (
        lambda folder: change(folder, hidden_size="24"),
        "value of 'hidden_size' cannot be used.*config.json of",
    ),
    "another rate": (
        lambda folder: (folder / "preprocessor_config.json").write_text('{"sampling_rate": 8000}'),
        "another sampling rate in .*8000 Hz",
    ),
    "a missing weight": (
        lambda folder: change_weights(folder, lambda weights: weights.pop("encoder.layer_norm.bias")),
        "1 weights do not fit the model, first of them encoder.norm.bias",
    ),
    "a part that is not known": (
        lambda folder: change_weights(folder, lambda weights: weights.update({"encoder.gate": torch.ones(1)})),
        "parts that the package's encoder does not have in .*encoder.gate",
    ),
}


@pytest.fixture(scope="module")
def sound_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Written by ourselves, so that no import is waited for."""
    out = tmp_path_factory.mktemp("sound") / "model"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = replace(OURS["as base"], encoder=replace(OURS["as base"].encoder, num_layers=3))
        write_transformers(Hubert(config), out)
    return out


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_a_sentence(tmp_path: Path, sound_folder: Path, damage: str):
    folder = tmp_path / "model"
    folder.mkdir()
    for path in sound_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    break_it, told = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(CheckpointError, match=f"(?s){told}") as raised:
        read_foreign(folder)
    assert str(folder) in str(raised.value)
    assert raised.value.mend
