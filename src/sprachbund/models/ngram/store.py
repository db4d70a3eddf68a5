"""Folders of n-gram models, which load at once, and whatever else holds one.

ngram.json          what the model is and was made of, and the fingerprint of the other two
ngram.safetensors   the trie and its numbers
words.txt           one word a line
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from sprachbund.errors import CheckpointError, DataError
from sprachbund.files import is_file, is_folder, write_atomically
from sprachbund.models.ngram.arpa import SUFFIXES, read_arpa
from sprachbund.models.ngram.kenlm_model import KenlmModel, is_kenlm_binary
from sprachbund.models.ngram.model import SPECIAL_WORDS, NgramModel
from sprachbund.models.ngram.trie import Trie
from sprachbund.shapes import Tensor

DESCRIPTION, TENSORS, WORDS = "ngram.json", "ngram.safetensors", "words.txt"
FORMAT = 1
_MEND = "Copy the folder again, or make it anew with `sprachbund lm ngram`."


def is_ngram(path: Path) -> bool:
    """Whether a path looks like an n-gram model: a folder of ours, an ARPA file by its name, a binary of KenLM."""
    return is_file(path / DESCRIPTION) or path.name.endswith(SUFFIXES) or is_kenlm_binary(path)


def load_any_ngram(path: Path) -> NgramModel | KenlmModel:
    """Read an n-gram model as `load_ngram` does, or from a binary file of KenLM.

    Raises:
        DataError: a bad file, or KenLM's library is not installed.
        CheckpointError: as `load_ngram`.
    """
    return KenlmModel.load(path) if is_kenlm_binary(path) else load_ngram(path)


def load_ngram(path: Path) -> NgramModel:
    """Read an n-gram model from a folder that `save_ngram` wrote, or from an ARPA file.

    Raises:
        DataError: a bad ARPA file, or a binary file, whose n-grams cannot be read.
        CheckpointError: the folder holds no n-gram model, or a damaged one.
    """
    if is_kenlm_binary(path):
        mend = "Give the ARPA file that it was made of."
        raise DataError("the n-grams of a binary file of KenLM cannot be read", where=path, mend=mend)
    return _load_folder(path) if is_folder(path) else read_arpa(path)


def save_ngram(model: NgramModel, folder: Path) -> None:
    """Write a folder; the description comes last and vouches for the rest.

    Raises:
        CheckpointError: something else stands in its place.
    """
    check_place(folder)
    tensors = {
        "keys": model.trie.keys,
        "log_probs": model.log_probs,
        "backoffs": model.backoffs,
        "suffixes": model.suffixes,
    }
    content = safetensors.torch.save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    words = "".join(f"{word}\n" for word in model.words).encode()
    (folder / DESCRIPTION).unlink(missing_ok=True)
    for name, written in ((TENSORS, content), (WORDS, words)):
        with write_atomically(folder / name) as handle:
            handle.write(written)
    description = {
        "format": FORMAT,
        "level": model.level,
        "counts": list(model.counts),
        "fingerprint": _fingerprint(content, words),
        "facts": dict(model.facts),
    }
    with write_atomically(folder / DESCRIPTION, "w") as handle:
        handle.write(json.dumps(description, ensure_ascii=False, indent=1) + "\n")


def check_place(folder: Path) -> None:
    """An n-gram model may be written where there is nothing yet, or another one.

    Raises:
        CheckpointError: something else stands there.
    """
    is_other = is_folder(folder) and any(folder.iterdir()) and not is_file(folder / DESCRIPTION)
    if is_other or is_file(folder):
        raise CheckpointError("an n-gram model cannot be written here", where=folder, mend="Give another name.")


def _fingerprint(*contents: bytes) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).hexdigest()


def read_description(folder: Path) -> dict[str, Any]:
    """What ``ngram.json`` says.

    Raises:
        CheckpointError: there is none, or it cannot be understood.
    """
    path = folder / DESCRIPTION
    try:
        description = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        mend = f"Name an ARPA file, or a folder that holds {DESCRIPTION}."
        raise CheckpointError("this folder holds no n-gram model", where=folder, mend=mend) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise _damaged(path, "of no known format")
    counts, facts = description.get("counts"), description.get("facts")
    is_counted = isinstance(counts, list) and counts and all(type(count) is int and count >= 0 for count in counts)
    if not is_counted or not isinstance(facts, dict) or description.get("level") not in ("words", "tokens", None):
        raise _damaged(path, "counts, level or facts are missing")
    return description


def _load_folder(folder: Path) -> NgramModel:
    description = read_description(folder)
    try:
        words_content = (folder / WORDS).read_bytes()
        content = (folder / TENSORS).read_bytes()
        tensors = safetensors.torch.load_file(folder / TENSORS)
        words = tuple(words_content.decode("utf-8").removesuffix("\n").split("\n"))
    except (OSError, SafetensorError, UnicodeDecodeError) as error:
        raise _damaged(folder, error) from None
    if _fingerprint(content, words_content) != description.get("fingerprint"):
        raise _damaged(folder, "files that were not saved together")
    if problem := _problem(tensors, words, description["counts"]):
        raise _damaged(folder, problem)
    trie = Trie(tensors["keys"], len(words))
    level, facts = description["level"], description["facts"]
    counts = tuple(description["counts"])
    return NgramModel(words, counts, trie, tensors["log_probs"], tensors["backoffs"], tensors["suffixes"], level, facts)


def _problem(tensors: dict[str, Tensor], words: tuple[str, ...], counts: list[int]) -> str | None:
    """What would let a walk through the trie fail or never end."""
    total, num_states = sum(counts), 1 + sum(counts[:-1])
    wanted = {
        "keys": (torch.int64, total),
        "log_probs": (torch.float32, total),
        "backoffs": (torch.float32, num_states),
        "suffixes": (torch.int32, 1 + total),
    }
    if {name: (tensor.dtype, *tensor.shape) for name, tensor in tensors.items()} != wanted:
        return "tensors of other sizes"
    if words[: len(SPECIAL_WORDS)] != SPECIAL_WORDS or len(set(words)) != len(words) or counts[0] != len(words):
        return "words that are not the model's"
    keys, suffixes = tensors["keys"], tensors["suffixes"]
    singles = torch.arange(len(words))
    if not torch.equal(keys[: len(words)], singles) or bool((keys.diff() <= 0).any()):
        return "keys that are not in order"
    if int(keys[-1]) >= num_states * len(words):
        return "keys of contexts that are not there"
    shorter = suffixes[1:] < torch.arange(1, len(suffixes))
    if bool((suffixes < 0).any()) or not bool(shorter.all()) or bool((suffixes >= num_states).any()):
        return "ends that are no shorter"
    if any(bool(tensors[name].isnan().any()) for name in ("log_probs", "backoffs")):
        return "numbers that are none"
    return None


def _damaged(where: Path, given: object) -> CheckpointError:
    return CheckpointError("this n-gram model is damaged", where=where, given=given, mend=_MEND)
