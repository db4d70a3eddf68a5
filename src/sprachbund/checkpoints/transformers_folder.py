"""Model folders as the transformers library writes them: what they say of themselves, and the weights."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from sprachbund.checkpoints.store import read_weights
from sprachbund.checkpoints.unpickler import StoredTensor, read_torch_file
from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.errors import CheckpointError
from sprachbund.files import is_file
from sprachbund.shapes import Tensor

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
_PROCESSOR = "processor_config.json"  # where newer versions put that of models with a tokenizer
_PICKLED = "pytorch_model.bin"  # what older versions wrote
_INDEX = ".index.json"  # which file holds which weight, where there are several


@dataclass(frozen=True)
class TransformersFolder:
    """What such a folder holds. Nothing in it is trusted, and nothing is executed."""

    path: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]  # what is done to waveforms first; empty where the folder does not say
    weights: Mapping[str, Tensor]  # single precision, whatever the files have


def is_transformers_folder(path: Path) -> bool:
    """Whether there is a folder whose config.json names a kind of model in the way of transformers."""
    try:
        return isinstance(_read_json(path / CONFIG).get("model_type"), str)
    except CheckpointError:
        return False


def read_transformers(path: Path) -> TransformersFolder:
    """Read a folder.

    Raises:
        CheckpointError: a file is missing, damaged, or names what would have to be run.
    """
    config, preprocessor = _read_json(path / CONFIG), _read_preprocessor(path)
    weights: dict[str, Tensor] = {}
    for file in _weight_files(path):
        found = read_weights(file) if file.suffix == ".safetensors" else _read_pickled(file)
        weights |= {name: _to_single(tensor) for name, tensor in found.items()}
    return TransformersFolder(path, config, preprocessor, weights)


def write_transformers_folder(
    out: Path, config: Mapping[str, Any], preprocessor: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Write such a folder, whole or not at all.

    Raises:
        DataError: `out` holds something already.
    """
    with new_folder(out) as folder:
        for name, content in ((CONFIG, config), (PREPROCESSOR, preprocessor)):
            (folder / name).write_text(json.dumps(dict(content), indent=2) + "\n", "utf-8")
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
        safetensors.torch.save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def _read_preprocessor(path: Path) -> dict[str, Any]:
    if is_file(path / PREPROCESSOR):
        return _read_json(path / PREPROCESSOR)
    inner = _read_json(path / _PROCESSOR).get("feature_extractor") if is_file(path / _PROCESSOR) else None
    return inner if isinstance(inner, dict) else {}


def _weight_files(path: Path) -> list[Path]:
    for name in (WEIGHTS, _PICKLED):
        if is_file(path / name):
            return [path / name]
        index = path / f"{name}{_INDEX}"
        if is_file(index):
            return [path / part for part in _parts(index)]
    raise CheckpointError(
        "this folder holds no weights",
        where=path,
        mend=f"Wanted is {WEIGHTS} or {_PICKLED}, whole or in parts with their index. Copy the whole folder.",
    )


def _parts(index: Path) -> list[str]:
    places = _read_json(index).get("weight_map")
    names = set(places.values()) if isinstance(places, dict) and _are_texts(places.values()) else set()
    # Names of files in this folder; a path could lead anywhere.
    if not names or not all(re.fullmatch(r"[\w-][\w.-]*\.(safetensors|bin)", name) for name in names):
        raise CheckpointError(
            "the index of the weights cannot be understood", where=index, mend="Copy the whole folder again."
        )
    return sorted(names)


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _read_pickled(path: Path) -> dict[str, Tensor]:
    file = read_torch_file(path, inert=(), makers={})
    content = file.content
    is_sound = isinstance(content, dict) and all(
        isinstance(name, str) and isinstance(value, StoredTensor) for name, value in content.items()
    )
    if not is_sound:
        raise CheckpointError(
            "these are no weights of a model",
            where=path,
            given=type(content).__name__,
            mend="Wanted is a mapping of names to tensors.",
        )
    return file.tensors(content)


def _to_single(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float32) if tensor.is_floating_point() else tensor


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CheckpointError(
            "this file cannot be read", where=path, given=reason, mend="Copy the whole folder again."
        ) from None
    if not isinstance(content, dict):
        raise CheckpointError(
            "a mapping of names to values is wanted", where=path, given=type(content).__name__, mend="Copy it again."
        )
    return content
