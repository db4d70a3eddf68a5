"""Model folders: everything a model needs, in one folder that moves anywhere.

config.json         what kind of model, and its configuration
model.safetensors   the weights
tokenizer/          the text tokenizer
README.md           the model card
recipe.yaml         the resolved recipe it was trained with, if it was trained here
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from sprachbund.errors import CheckpointError, SprachbundError
from sprachbund.files import write_atomically
from sprachbund.shapes import Tensor
from sprachbund.tokens.text import TextTokenizer, load_tokenizer

CONFIG, WEIGHTS, TOKENIZER, CARD, RECIPE = "config.json", "model.safetensors", "tokenizer", "README.md", "recipe.yaml"
FORMAT = 1


@dataclass(frozen=True)
class StoredModel:
    """The content of a model folder."""

    kind: str  # name in the model table, such as "speecht5"
    config: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    tokenizer: TextTokenizer
    facts: Mapping[str, Any] = field(default_factory=dict)  # what made the weights: unit model fingerprint, stage
    card: str = ""
    recipe: str | None = None


def save_model(folder: Path, stored: StoredModel) -> None:
    """Write a model folder: all of it under another name first, then renamed, so that no half folder remains."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        header = {"format": FORMAT, "kind": stored.kind, "config": dict(stored.config), "facts": dict(stored.facts)}
        (temporary / CONFIG).write_text(json.dumps(header, indent=1) + "\n", "utf-8")
        # Tied weights share memory, which safetensors refuses; the model ties them again when it is built.
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in stored.weights.items()}
        with write_atomically(temporary / WEIGHTS) as handle:
            handle.write(safetensors.torch.save(tensors))
        stored.tokenizer.save(temporary / TOKENIZER)
        (temporary / CARD).write_text(stored.card, "utf-8")
        if stored.recipe is not None:
            (temporary / RECIPE).write_text(stored.recipe, "utf-8")
        temporary.chmod(0o755)
        _swap(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_header(folder: Path) -> dict[str, Any]:
    """The content of a model folder's config.json.

    Raises:
        CheckpointError: the folder is not a model folder.
    """
    path = folder / CONFIG
    try:
        header = json.loads(path.read_text("utf-8"))
        if header["format"] > FORMAT:
            raise CheckpointError(
                "this model folder was written by a newer version", where=folder, mend="Upgrade sprachbund."
            )
        if not isinstance(header["kind"], str) or not isinstance(header["config"], dict):
            raise TypeError
    except FileNotFoundError:
        given = "no such folder" if not folder.exists() else "no config.json in it"
        raise CheckpointError(
            "this is not a model folder", where=folder, given=given, mend="Name the folder that holds config.json."
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        raise CheckpointError(
            "config.json of this model folder cannot be understood", where=path, mend="Copy the folder again."
        ) from None
    return dict(header)


def load_model(folder: Path) -> StoredModel:
    """Read a model folder.

    Raises:
        CheckpointError: a part is missing, truncated or not understood.
    """
    header = read_header(folder)
    weights = read_weights(folder / WEIGHTS)
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER)
    except SprachbundError as error:
        raise CheckpointError(f"the tokenizer of this model folder cannot be used: {error}", where=folder) from None
    recipe, card = folder / RECIPE, folder / CARD
    return StoredModel(
        kind=header["kind"],
        config=header["config"],
        weights=weights,
        tokenizer=tokenizer,
        facts=header.get("facts", {}),
        card=card.read_text("utf-8") if card.exists() else "",
        recipe=recipe.read_text("utf-8") if recipe.exists() else None,
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: it is missing, truncated or another kind of file.
    """
    try:
        return safetensors.torch.load_file(path)
    except FileNotFoundError:
        raise CheckpointError("the weights are missing", where=path, mend="Copy the whole model folder.") from None
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            "the weights are truncated or not a safetensors file", where=path, given=error, mend="Copy the file again."
        ) from None


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`; folders cannot be renamed over, so the old one steps aside first."""
    if not folder.exists():
        new.replace(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
    folder.replace(aside / "old")
    os.replace(new, folder)  # noqa: PTH105  (as the rename above, seen together)
    shutil.rmtree(aside)
