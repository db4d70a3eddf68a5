import json
from pathlib import Path

import pytest
import torch

from models.text_to_unit.sizes import UNUSED, build
from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError
from sprachbund.models.text_to_unit.config import TextToUnitConfig
from sprachbund.models.text_to_unit.keys import KEYS, PHONES, UNITS, config_from_original, is_text_to_unit
from sprachbund.models.text_to_unit.model import TextToUnit

INVENTORIES = sorted((Path(__file__).parents[2] / "golden" / "keys").glob("fasttext2unit_*.json"))


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.stem)
def test_every_weight_of_the_published_models_has_its_place(path: Path) -> None:
    inventory = json.loads(path.read_text())
    keys = inventory["keys"]
    config = config_from_original(inventory["config"], keys[PHONES]["shape"][0], keys[UNITS]["shape"][0])
    with torch.device("meta"):
        model = TextToUnit(config)
    own = model.state_dict()
    back = KEYS.to_original(own)
    assert not back.unused
    shapes = {back.names[name]: list(weight.shape) for name, weight in own.items()}
    marks = {name for name in keys if name.endswith("._float_tensor")}
    assert shapes == {name: entry["shape"] for name, entry in keys.items() if name not in marks}
    there = KEYS.to_ours(keys)
    assert set(there.names.values()) == set(own)
    assert set(there.unused) == marks
    assert sum(weight.numel() for weight in model.parameters()) == inventory["num_parameters"]


def test_there_are_inventories() -> None:
    assert len(INVENTORIES) == 3


@pytest.mark.parametrize(("size", "stem"), [("small", "s"), ("medium", "m"), ("large", "l")])
def test_our_sizes_are_the_published_ones_without_what_they_do_not_use(size: str, stem: str) -> None:
    path = next(path for path in INVENTORIES if path.stem == f"fasttext2unit_{stem}")
    config = config_from_original(json.loads(path.read_text())["config"], 46, 504)
    unused = {"pitch": config.pitch, "energy": config.energy, "original_numerics": True}
    assert config == getattr(TextToUnitConfig, size)(46, 504, **unused)
    assert config.pitch is not None
    assert not config.pitch.is_used


def test_names_go_there_and_back() -> None:
    names = list(build(**UNUSED).state_dict())
    there = KEYS.to_original(names)
    assert not there.unused
    back = KEYS.to_ours(there.names.values())
    assert [back.names[there.names[name]] for name in names] == names


def test_original_arguments_are_read() -> None:
    config = config_from_original(
        {
            "dropout": 0.3, "attention_dropout": 0.4, "encoder_embed_dim": 24, "decoder_embed_dim": 24,
            "encoder_layers": 3, "decoder_layers": 5, "encoder_attention_heads": 4, "decoder_attention_heads": 6,
            "fft_hidden_dim": 40, "fft_kernel_size": 7, "var_pred_hidden_dim": 10, "var_pred_kernel_size": 5,
            "var_pred_dropout": 0.1, "var_pred_n_bins": 9, "use_pitch": True, "pitch_min": -1.0, "pitch_max": 2.0,
            "use_energe": False, "energy_max": None,
        },
        30, 40,
    )  # fmt: skip
    assert (config.num_phones, config.num_units, config.dropout) == (30, 40, 0.3)
    for stack, layers, heads in ((config.encoder, 3, 4), (config.decoder, 5, 6)):
        assert (stack.dim, stack.ffn_dim, stack.kernel) == (24, 40, 7)
        assert (stack.num_layers, stack.num_heads, stack.dropout, stack.attention_dropout) == (layers, heads, 0.3, 0.4)
    assert (config.predictor.dim, config.predictor.kernel, config.predictor.dropout) == (10, 5, 0.1)
    assert config.pitch is not None
    assert config.energy is not None
    assert (config.pitch.is_used, config.pitch.num_bins) == (True, 9)
    assert (config.pitch.lowest, config.pitch.highest) == (-1.0, 2.0)
    assert (config.energy.is_used, config.energy.highest) == (False, 6.6)
    assert config.original_numerics


@pytest.mark.parametrize(
    ("name", "value"),
    [("add_postnet", True), ("n_frames_per_step", 2), ("speaker_to_id", {"a": 0}), ("speaker_embedding_type", "x")],
)
def test_what_the_package_lacks_is_refused(name: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=name):
        config_from_original({name: value}, 30, 40)


@pytest.mark.parametrize(
    ("architecture", "is_this"),
    [("fasttext2unit_s", True), ("fasttext2unit", True), (None, True), ("fastspeech2", False)],
)
def test_it_is_known_by_its_weights_and_by_its_name(architecture: str | None, is_this: bool) -> None:
    weights = {KEYS.to_original([name]).names[name]: weight for name, weight in build().state_dict().items()}
    checkpoint = FairseqCheckpoint(Path("t2u.pt"), architecture, {}, {}, False, weights)
    assert is_text_to_unit(checkpoint) == is_this
    del weights["encoder.dec_pos_emb_alpha"]
    assert not is_text_to_unit(checkpoint)
