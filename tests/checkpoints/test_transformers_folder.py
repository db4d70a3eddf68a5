import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import tiny
from commands import fingerprints
from sprachbund.checkpoints.transformers_folder import (
    is_transformers_folder,
    read_transformers,
    write_transformers_folder,
)
from sprachbund.errors import CheckpointError, DataError

CONFIG = {"model_type": "hubert", "hidden_size": 4}


def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    names = ("encoder.a.weight", "encoder.a.bias", "masked_spec_embed")
    return {name: torch.randn(3, 2, generator=generator) for name in names}


def write_config(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


def split(folder: Path, name: str, save: Callable[[dict[str, Tensor], Path], object]) -> None:
    """Weights in two files, with their index."""
    stem, suffix = name.split(".")
    parts = {key: f"{stem}-0000{number}-of-00002.{suffix}" for number, key in enumerate(weights(), 1)}
    parts["masked_spec_embed"] = f"{stem}-00001-of-00002.{suffix}"
    for part in set(parts.values()):
        save({key: tensor for key, tensor in weights().items() if parts[key] == part}, folder / part)
    (folder / f"{name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": parts}))


def save_module_state(state: dict[str, Tensor], path: Path) -> None:
    """As modules hand it out: an ordered mapping with an attribute."""
    ordered = OrderedDict(state)
    ordered._metadata = OrderedDict({"": {"version": 1}})  # as torch does
    torch.save(ordered, path)


# The layouts that there are.
LAYOUTS: dict[str, Callable[[Path], object]] = {
    "safetensors": lambda folder: save_file(weights(), folder / "model.safetensors"),
    "safetensors in parts": lambda folder: split(folder, "model.safetensors", save_file),
    "pickled": lambda folder: save_module_state(weights(), folder / "pytorch_model.bin"),
    "pickled, old": lambda folder: torch.save(
        weights(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False
    ),
    "pickled in parts": lambda folder: split(folder, "pytorch_model.bin", save_module_state),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_weights(tmp_path: Path, layout: str):
    folder = write_config(tmp_path / "model")
    LAYOUTS[layout](folder)
    found = read_transformers(folder)
    assert found.config == CONFIG
    assert found.preprocessor == {}
    assert found.weights.keys() == weights().keys()
    assert all(torch.equal(found.weights[name], tensor) for name, tensor in weights().items())


def test_preprocessing_is_told_in_either_file(tmp_path: Path):
    folder = write_config(tmp_path / "model")
    LAYOUTS["safetensors"](folder)
    newer, older = folder / "processor_config.json", folder / "preprocessor_config.json"
    newer.write_text('{"feature_extractor": {"do_normalize": true}, "processor_class": "A"}')
    assert read_transformers(folder).preprocessor == {"do_normalize": True}
    older.write_text('{"do_normalize": false}')
    assert read_transformers(folder).preprocessor == {"do_normalize": False}
    older.unlink()
    newer.write_text('{"tokenizer": {}}')
    assert read_transformers(folder).preprocessor == {}


def test_half_precision_becomes_single_and_whole_numbers_stay(tmp_path: Path):
    folder = write_config(tmp_path / "model")
    save_file({"a": torch.ones(2, dtype=torch.float16), "b": torch.arange(3)}, folder / "model.safetensors")
    found = read_transformers(folder).weights
    assert found["a"].dtype == torch.float32
    assert found["b"].dtype == torch.int64


def test_what_is_written_is_read_again(tmp_path: Path):
    preprocessor = {"do_normalize": True, "sampling_rate": 16000}
    tied = weights()
    tied["again"] = tied["encoder.a.bias"]
    write_transformers_folder(tmp_path / "out", {**CONFIG, "conv_dim": (3, 4)}, preprocessor, tied)
    found = read_transformers(tmp_path / "out")
    assert found.config == {**CONFIG, "conv_dim": [3, 4]}
    assert found.preprocessor == preprocessor
    assert all(torch.equal(found.weights[name], tensor) for name, tensor in tied.items())
    with safetensors.safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # without which transformers refuses the file


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path):
    folder = write_config(tmp_path / "model")
    before = fingerprints(tmp_path)
    with pytest.raises(DataError, match="holds something already"):
        write_transformers_folder(folder, CONFIG, {}, weights())
    assert fingerprints(tmp_path) == before


def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path):
    with pytest.raises(TypeError):
        write_transformers_folder(tmp_path / "out", CONFIG, {}, {"a": "no tensor"})
    assert list(tmp_path.iterdir()) == []


def test_what_is_such_a_folder(tmp_path: Path):
    folder = write_config(tmp_path / "model")
    assert is_transformers_folder(folder)
    assert not is_transformers_folder(folder / "config.json")
    assert not is_transformers_folder(tmp_path)
    assert not is_transformers_folder(tiny.write_model_folder(tmp_path / "ours"))
    for content in ("[1]", "{", '{"model_type": 3}', "[" * 99999, "\ud800"):
        (folder / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
        assert not is_transformers_folder(folder)


def index(folder: Path, content: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))


# What can be wrong with a folder, and what the sentence must say.
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda folder: (folder / "config.json").unlink(), "cannot be read.*No such file"),
    "config is cut": (lambda folder: (folder / "config.json").write_text('{"model'), "cannot be read in .*config.json"),
    "config is a list": (lambda folder: (folder / "config.json").write_text("[1]"), "mapping of names to values.*list"),
    "preprocessor is cut": (
        lambda folder: (folder / "preprocessor_config.json").write_text("{"),
        "cannot be read in .*preprocessor_config.json",
    ),
    "no weights": (lambda folder: None, "holds no weights.*Wanted is model.safetensors or pytorch_model.bin"),
    "empty": (lambda folder: (folder / "model.safetensors").write_bytes(b""), "not a safetensors file"),
    "foreign": (lambda folder: (folder / "pytorch_model.bin").write_bytes(b"RIFF"), "not a file of torch.save"),
    "a list": (lambda folder: torch.save([torch.ones(2)], folder / "pytorch_model.bin"), "no weights of a model.*list"),
    "numbers": (lambda folder: torch.save({"a": 3}, folder / "pytorch_model.bin"), "no weights of a model"),
    "no parts": (lambda folder: index(folder, {"weight_map": {}}), "index of the weights cannot be understood"),
    "no map": (lambda folder: index(folder, {"weight_map": ["a"]}), "index of the weights cannot be understood"),
    "odd parts": (lambda folder: index(folder, {"weight_map": {"a": 3}}), "index of the weights cannot be understood"),
    "part is missing": (lambda folder: index(folder, {"weight_map": {"a": "m.safetensors"}}), "weights are missing"),
    "a path": (lambda folder: index(folder, {"weight_map": {"a": "../m.safetensors"}}), "index of the weights cannot"),
    "an absolute path": (
        lambda folder: index(folder, {"weight_map": {"a": "/etc/m.safetensors"}}),
        "index of the weights cannot",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_a_sentence(tmp_path: Path, damage: str):
    folder = write_config(tmp_path / "model")
    save_file(weights(), tmp_path / "m.safetensors")
    break_it, told = DAMAGES[damage]
    break_it(folder)
    with pytest.raises(CheckpointError, match=f"(?s){told}") as raised:
        read_transformers(folder)
    assert str(folder) in str(raised.value)
    assert raised.value.mend


def test_nothing_in_pickled_weights_is_executed(tmp_path: Path):
    folder, mark = write_config(tmp_path / "model"), tmp_path / "mark"
    torch.save({"a": tiny.Trap(f"touch {mark}")}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"cannot be used as a checkpoint.*Nothing in it was run"):
        read_transformers(folder)
    assert not mark.exists()


@settings(deadline=None, max_examples=40)
@given(
    content=st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=4), x),
        max_leaves=5,
    )
)
def test_any_index_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: object):
    folder = write_config(tmp_path_factory.mktemp("index") / "model")
    index(folder, {"weight_map": content})
    with pytest.raises(CheckpointError, match="index of the weights cannot be understood"):
        read_transformers(folder)
