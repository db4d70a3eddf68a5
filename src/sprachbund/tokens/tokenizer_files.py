"""The files of a tokenizer's folder, and what all tokenizers do with ids: the ground that the kinds of them share."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sprachbund.errors import VocabularyError
from sprachbund.files import write_atomically
from sprachbund.tokens.vocabulary import BOS, EOS, PAD, UNK, Vocabulary

DESCRIPTION_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocabulary.txt"
SENTENCEPIECE_FILE = "sentencepiece.model"

# What an <unk> is decoded to: it stays visible, and no reference text holds it.
UNKNOWN_TEXT = "⁇"


def textual_symbols(vocabulary: Vocabulary, ids: Iterable[int]) -> list[str]:
    """The symbols of `ids` that stand for text."""
    silent = vocabulary.added_ids | {BOS, PAD, EOS}
    known = (int(index) for index in ids)
    return [UNKNOWN_TEXT if index == UNK else vocabulary.symbol_of(index) for index in known if index not in silent]


def save_tokenizer(
    folder: Path, kind: str, vocabulary: Vocabulary, *, settings: dict[str, str], model: bytes | None = None
) -> None:
    """Write the parts, and last the description that vouches for them."""
    description: dict[str, Any] = {"kind": kind, "settings": settings, "vocabulary": vocabulary.fingerprint()}
    if model is not None:
        description["model"] = hashlib.sha256(model).hexdigest()
        with write_atomically(folder / SENTENCEPIECE_FILE) as handle:
            handle.write(model)
    vocabulary.save(folder / VOCABULARY_FILE)
    with write_atomically(folder / DESCRIPTION_FILE, mode="w") as handle:
        json.dump(description, handle, ensure_ascii=False, indent=2)


def read_tokenizer_file(path: Path) -> bytes:
    """The bytes of a file of the folder.

    Raises:
        VocabularyError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise VocabularyError(
            "a file of the tokenizer cannot be read",
            where=path,
            given=error.strerror,
            mend="Give a folder written by `sprachbund tokens train-text`, or copy all of its files.",
        ) from error


def read_description(path: Path) -> dict[str, Any]:
    """What ``tokenizer.json`` says.

    Raises:
        VocabularyError: it cannot be read, or is no JSON object.
    """
    try:
        description = json.loads(read_tokenizer_file(path).decode("utf-8"))
    except (RecursionError, ValueError) as error:
        raise VocabularyError(
            "the description of the tokenizer is damaged", where=path, given=str(error), mend="Write the folder anew."
        ) from error
    if not isinstance(description, dict):
        raise VocabularyError("the description of the tokenizer is no JSON object", where=path, mend="Write it anew.")
    return description


def check_digest(path: Path, found: str, expected: object) -> None:
    """Refuse a file that is not the one the tokenizer was saved with."""
    if found != expected:
        raise VocabularyError(
            "a file is not the one the tokenizer was saved with",
            where=path,
            given=f"SHA-256 {found[:12]}, expected {str(expected)[:12]}",
            mend="Copy all files of the folder together, or write it anew.",
        )
