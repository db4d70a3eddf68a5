"""Model folders: everything a model needs, in one folder that moves anywhere.

config.json         what kind of model, and its configuration
model.safetensors   the weights
tokenizer/          the text tokenizer, if the model has to do with text
README.md           the model card
recipe.yaml         the resolved recipe it was trained with, if it was trained here
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
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
    tokenizer: TextTokenizer | None
    facts: Mapping[str, Any] = field(default_factory=dict)  # what made the weights: unit model fingerprint, stage
    card: str = ""
    recipe: str | None = None


def save_model(folder: Path, stored: StoredModel) -> None:
    """Write a model folder: all of it under another name first, then renamed, so that no half folder remains.

    A model folder that stands there is replaced as a whole.

    Raises:
        CheckpointError: a file, or a folder that holds something else, stands in its place.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        (temporary / CONFIG).write_text(json.dumps(_header(stored), indent=1) + "\n", "utf-8")
        # Tied weights share memory, which safetensors refuses; the model ties them again when it is built.
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in stored.weights.items()}
        with write_atomically(temporary / WEIGHTS) as handle:
            handle.write(safetensors.torch.save(tensors))
        if stored.tokenizer is not None:
            stored.tokenizer.save(temporary / TOKENIZER)
        (temporary / CARD).write_text(stored.card, "utf-8")
        if stored.recipe is not None:
            (temporary / RECIPE).write_text(stored.recipe, "utf-8")
        temporary.chmod(0o755)
        _swap(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _header(stored: StoredModel) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": stored.kind,
        "config": dict(stored.config),
        "vocabulary": None if stored.tokenizer is None else stored.tokenizer.vocabulary.fingerprint(),
        "facts": dict(stored.facts),
    }


def _check_replaceable(folder: Path) -> None:
    """Nothing but a model folder may be replaced by one."""
    if folder.is_dir():
        given = None if (folder / CONFIG).exists() or not any(folder.iterdir()) else "a folder of other files"
    else:
        given = "a file" if folder.exists() else None
    if given:
        raise CheckpointError(
            "a model folder cannot be written here", where=folder, given=given, mend="Give another name, or move it."
        )


def read_header(folder: Path) -> dict[str, Any]:
    """The content of a model folder's config.json.

    Raises:
        CheckpointError: the folder is not a model folder.
    """
    path = folder / CONFIG
    try:
        header = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        given = "no such folder" if not folder.exists() else "no config.json in it"
        raise CheckpointError(
            "this is not a model folder", where=folder, given=given, mend="Name the folder that holds config.json."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _not_understood(path, error) from None
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise _not_understood(path, "no number of its format")
    if header["format"] > FORMAT:
        raise CheckpointError(
            "this model folder was written by a newer version",
            where=folder,
            given=f"format {header['format']}, known up to {FORMAT}",
            mend="Upgrade sprachbund.",
        )
    for name, kind in (("kind", str), ("config", dict), ("facts", dict)):
        if not isinstance(header.get(name), kind):
            raise _not_understood(path, f"no {name}")
    return header


def _not_understood(path: Path, given: object) -> CheckpointError:
    return CheckpointError(
        "config.json of this model folder cannot be understood", where=path, given=given, mend="Copy the folder again."
    )


def load_model(folder: Path) -> StoredModel:
    """Read a model folder.

    Raises:
        CheckpointError: a part is missing, truncated or not understood.
    """
    header = read_header(folder)
    weights = read_weights(folder / WEIGHTS)
    tokenizer = _load_tokenizer(folder, header)
    return StoredModel(
        kind=header["kind"],
        config=header["config"],
        weights=weights,
        tokenizer=tokenizer,
        facts=header["facts"],
        card=_read_note(folder / CARD) or "",
        recipe=_read_note(folder / RECIPE),
    )


def _load_tokenizer(folder: Path, header: Mapping[str, Any]) -> TextTokenizer | None:
    if "vocabulary" in header and header["vocabulary"] is None:
        return None
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER)
    except SprachbundError as error:
        raise CheckpointError(
            f"the tokenizer of this model folder cannot be used: {error.what}",
            where=error.where or folder,
            given=error.given,
            mend="Copy the whole model folder again.",
        ) from None
    expected = str(header.get("vocabulary", tokenizer.vocabulary.fingerprint()))
    if expected != tokenizer.vocabulary.fingerprint():
        raise CheckpointError(
            "the vocabulary does not match the weights",
            where=folder / TOKENIZER,
            given=f"fingerprint {tokenizer.vocabulary.fingerprint()[:12]}, expected {expected[:12]}",
            mend="Put back the tokenizer the model was trained with.",
        )
    return tokenizer


def weights_fingerprint(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 (hexadecimal) of the names, types, shapes and bytes of weights, whatever their order."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _read_note(path: Path) -> str | None:
    """A text for people; what is not UTF-8 in it keeps no model from being used."""
    return path.read_text("utf-8", errors="replace") if path.is_file() else None


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
    try:
        new.replace(folder)
    except BaseException:
        (aside / "old").replace(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
