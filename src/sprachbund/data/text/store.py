"""Line stores: folders of numbered lines with named fields, read from the disk one line at a time.

STORE/
  store.json                   what is in it, what made it, and the digests of the other files; written last
  FIELD.items, FIELD.ends      ids or UTF-8 bytes one line after another; where each line ends (8 bytes each)
  FIELD.vocabulary.txt         the symbols of ids that have some
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sprachbund.data.text.fields import Field, IdsField, from_mapping
from sprachbund.errors import DataError, VocabularyError
from sprachbund.files import is_file
from sprachbund.shapes import Array, Int, Integer
from sprachbund.tokens.vocabulary import Vocabulary

DESCRIPTION, ITEMS, ENDS, VOCABULARY = "store.json", "items", "ends", "vocabulary.txt"
FORMAT = 1
END_BYTES = 8
_MEND = "Make the store again, or copy all of its files together."


def is_store(path: Path | str) -> bool:
    """Whether a line store lies at `path`."""
    return is_file(Path(path) / DESCRIPTION)


@dataclass(frozen=True)
class _Column:
    """The files of one field, mapped."""

    items: Integer[Array, " item"]
    ends: Integer[Array, " line"]

    def bounds(self, numbers: Int[Array, " number"]) -> tuple[Int[Array, " number"], Int[Array, " number"]]:
        ends = self.ends[numbers].astype(np.int64)
        starts = np.where(numbers > 0, self.ends[np.maximum(numbers, 1) - 1], 0).astype(np.int64)
        return starts, ends


class LineStore:
    """Lines on the disk. What is opened is files, not their content: memory does not grow with the number of lines.

    Args:
        folder: that `LineWriter` wrote.

    Raises:
        DataError: there is no store, or its files are damaged or do not go together.
        VocabularyError: the vocabulary of a field is damaged.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        content, plain = _read_description(self.folder)
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self.facts: Mapping[str, Any] = plain["facts"]
        self.digests: Mapping[str, str] = plain["digests"]
        self._count: int = plain["lines"]
        self.fields: Mapping[str, Field] = {name: self._read_field(name, plain) for name in plain["fields"]}
        for name in self.fields:
            self._check_sizes(name)

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> tuple[Any, ...]:
        # Processes map the files anew, instead of being sent their content.
        return type(self), (self.folder,)

    def ids_field(self, name: str, fingerprint: str | None = None) -> IdsField:
        """The field of ids of that name.

        Args:
            name: of the field.
            fingerprint: of what its ids must have been made by; None for anything.

        Raises:
            DataError: there is no such field, or it holds text.
            VocabularyError: something else made its ids.
        """
        field = self._field(name)
        if not isinstance(field, IdsField):
            raise DataError("the field holds text, not ids", where=self._where(name), mend=self._known())
        if fingerprint is not None and field.fingerprint != fingerprint:
            raise VocabularyError(
                "the ids of a line store were made by something else",
                where=self._where(name),
                given=f"fingerprint {field.fingerprint[:16]}, expected {fingerprint[:16]}",
                mend="Make the store again with what this training uses.",
            )
        return field

    def text_fields(self) -> set[str]:
        """The names of the fields of text."""
        return {name for name, field in self.fields.items() if not isinstance(field, IdsField)}

    def lengths(self, name: str, numbers: Int[Array, " number"] | None = None) -> Int[Array, " number"]:
        """Items of lines: ids of a field of ids, bytes of a field of text.

        Args:
            name: of the field.
            numbers: of the lines; None for all, which takes 8 bytes of memory each.
        """
        starts, ends = self._column(name).bounds(np.arange(len(self)) if numbers is None else numbers)
        if len(ends) and int((ends - starts).min()) < 0:
            raise DataError("a line ends before it begins", where=self._where(name), mend=_MEND)
        lengths: Int[Array, " number"] = ends - starts
        return lengths

    def items(self, name: str) -> Integer[Array, " item"]:
        """The ids or bytes of all lines, one after another, left on the disk."""
        return self._column(name).items

    def num_items(self, name: str) -> int:
        """Ids or bytes of all lines together."""
        return len(self.items(name))

    def tokens(self, name: str, number: int) -> Int[Array, " token"]:
        """The ids of a line.

        Raises:
            DataError: the field holds text, or the line is damaged.
        """
        field, ids = self.ids_field(name), self._items(name, number).astype(np.int64)
        if len(ids) and int(ids.max()) >= field.size:
            where, given = self._where(name, number), f"{int(ids.max())}, the field has {field.size}"
            raise DataError("an id lies outside of its field", where=where, given=given, mend=_MEND)
        return ids

    def text(self, name: str, number: int) -> str:
        """The text of a line; that of ids is their symbols, or numbers where they have none, with blanks between.

        Raises:
            DataError: there is no such field, or the line is damaged.
        """
        field = self._field(name)
        if isinstance(field, IdsField):
            ids, vocabulary = self.tokens(name, number).tolist(), field.vocabulary
            return " ".join(map(str, ids) if vocabulary is None else map(vocabulary.symbol_of, ids))
        try:
            return self._items(name, number).tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                "a line is not UTF-8", where=self._where(name, number), given=error.reason, mend=_MEND
            ) from None

    def _items(self, name: str, number: int) -> Integer[Array, " item"]:
        column = self._column(name)
        start, end = (int(column.ends[number - 1]) if number else 0), int(column.ends[number])
        if not 0 <= start <= end <= len(column.items):
            raise DataError("a line ends before it begins", where=self._where(name, number), mend=_MEND)
        return column.items[start:end]

    def _field(self, name: str) -> Field:
        if name not in self.fields:
            raise DataError("the line store has no such field", where=self.folder, given=name, mend=self._known())
        return self.fields[name]

    def _column(self, name: str) -> _Column:
        self._field(name)
        return self._columns[name]

    @cached_property
    def _columns(self) -> dict[str, _Column]:
        return {name: self._open(name, field) for name, field in self.fields.items()}

    def _open(self, name: str, field: Field) -> _Column:
        return _Column(_map(self._file(name, ITEMS), field.dtype), _map(self._file(name, ENDS), "<i8"))

    def _read_field(self, name: str, plain: Mapping[str, Any]) -> Field:
        path = self._file(name, VOCABULARY)
        vocabulary = Vocabulary.load(path) if path.name in self.digests else None
        try:
            return from_mapping(plain["fields"][name], vocabulary)
        except ValueError as error:
            raise DataError(
                "a field of the line store is not described", where=self._where(name), given=error, mend=_MEND
            ) from None

    def _check_sizes(self, name: str) -> None:
        """Refuse files that are cut short; the ends are looked at, not the items."""
        try:
            sizes = [self._file(name, kind).stat().st_size for kind in (ITEMS, ENDS)]
            column = self._open(name, self.fields[name]) if sizes[1] == END_BYTES * len(self) else None
        except (OSError, ValueError) as error:
            raise DataError("a line store lacks a file", where=self._where(name), given=error, mend=_MEND) from None
        items = int(column.ends[-1]) if column is not None and len(self) else 0
        if column is None or sizes[0] != items * np.dtype(self.fields[name].dtype).itemsize:
            given = f"{sizes[0]} and {sizes[1]} bytes for {len(self)} lines"
            raise DataError("the files of a line store are cut short", where=self._where(name), given=given, mend=_MEND)

    def _file(self, name: str, kind: str) -> Path:
        return self.folder / f"{name}.{kind}"

    def _where(self, name: str, number: int | None = None) -> str:
        return f"{self.folder}, field {name}{'' if number is None else f', line {number + 1}'}"

    def _known(self) -> str:
        return f"Its fields are: {', '.join(self.fields)}."


def _map(path: Path, dtype: str) -> Integer[Array, " item"]:
    # An empty file cannot be mapped.
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype=dtype)


def _read_description(folder: Path) -> tuple[bytes, dict[str, Any]]:
    path = folder / DESCRIPTION
    try:
        content = path.read_bytes()
        plain = json.loads(content.decode("utf-8"))
    except OSError as error:
        mend = "Give a folder that `sprachbund tokens` made of lines."
        raise DataError("there is no line store", where=folder, given=error.strerror, mend=mend) from None
    except (RecursionError, ValueError) as error:
        raise DataError("the description of the line store is damaged", where=path, given=error, mend=_MEND) from None
    if not _is_description(plain):
        raise DataError("the file does not describe a line store of this version", where=path, mend=_MEND)
    return content, plain


def _is_description(plain: Any) -> bool:
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        return False
    fields = plain.get("fields")
    is_named = isinstance(fields, dict) and bool(fields) and all(map(is_field_name, fields))
    is_told = isinstance(plain.get("facts"), dict) and isinstance(plain.get("digests"), dict)
    return is_named and is_told and _is_count(plain.get("lines"))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 40


def is_field_name(name: str) -> bool:
    """Whether a field may be called so: a word of small letters, as it becomes part of names of files."""
    return name.isascii() and name.isidentifier() and name.islower()
