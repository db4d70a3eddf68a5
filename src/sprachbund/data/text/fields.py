"""What the fields of a line store hold: ids under the fingerprint of what made them, or text."""

from dataclasses import dataclass
from typing import Any

from sprachbund.tokens.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class IdsField:
    """A field of ids."""

    size: int  # ids run from 0 to size - 1
    fingerprint: str  # of what made them: a vocabulary, a unit model, an aligner
    vocabulary: Vocabulary | None = None  # the symbols of the ids; None for units, which are numbers and no more
    is_reduced: bool = False  # repetitions are taken out: 17 17 296 296 20 is stored as 17 296 20

    @classmethod
    def of_symbols(cls, vocabulary: Vocabulary) -> "IdsField":
        """Ids of a vocabulary, under its own fingerprint."""
        return cls(size=len(vocabulary), fingerprint=vocabulary.fingerprint(), vocabulary=vocabulary)

    @property
    def dtype(self) -> str:
        """The narrowest type on the disk."""
        return "u1" if self.size <= 1 << 8 else "<u2" if self.size <= 1 << 16 else "<u4"


@dataclass(frozen=True)
class TextField:
    """A field of text as written, in UTF-8."""

    dtype = "u1"


Field = IdsField | TextField


def to_mapping(field: Field) -> dict[str, Any]:
    """Plain values of a field; the vocabulary has a file of its own."""
    if isinstance(field, TextField):
        return {"form": "text"}
    return {
        "form": "ids",
        "size": field.size,
        "fingerprint": field.fingerprint,
        "is_reduced": field.is_reduced,
        "vocabulary": None if field.vocabulary is None else field.vocabulary.fingerprint(),
    }


def from_mapping(plain: Any, vocabulary: Vocabulary | None) -> Field:
    """The field of plain values.

    Args:
        plain: as `to_mapping` gives it.
        vocabulary: read from its file.

    Raises:
        ValueError: they describe no field, or a field with another vocabulary.
    """
    form = plain.get("form") if isinstance(plain, dict) else None
    if form == "text":
        return TextField()
    if form != "ids":
        raise ValueError(f"form {form!r}")
    size, fingerprint, is_reduced = (plain.get(key) for key in ("size", "fingerprint", "is_reduced"))
    is_sound = type(size) is int and 0 < size < 1 << 32 and isinstance(fingerprint, str) and type(is_reduced) is bool
    if not is_sound:
        raise ValueError(f"size {size!r}, fingerprint {fingerprint!r}, is_reduced {is_reduced!r}")
    found = None if vocabulary is None else vocabulary.fingerprint()
    if found != plain.get("vocabulary") or (vocabulary is not None and len(vocabulary) != size):
        raise ValueError("its vocabulary is another one")
    return IdsField(size=size, fingerprint=fingerprint, vocabulary=vocabulary, is_reduced=is_reduced)
