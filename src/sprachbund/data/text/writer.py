"""Line stores are written line by line into a folder that is there whole or not at all."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.data.text.fields import Field, IdsField, to_mapping
from sprachbund.data.text.store import DESCRIPTION, ENDS, FORMAT, ITEMS, VOCABULARY, LineStore, is_field_name
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int, Integer

Value = Sequence[int] | Int[Array, " token"] | str
"""What a field of one line holds: ids, or text."""
Fields = Mapping[str, Value]
"""A line by its fields."""
_PIECE = 1 << 20  # items copied at once


@contextmanager
def new_store(
    folder: Path, fields: Mapping[str, Field], facts: Mapping[str, Any] | None = None
) -> Iterator["LineWriter"]:
    """Write a line store; the folder is there when the block ends without an exception.

    Args:
        folder: of the new store.
        fields: what each line has.
        facts: plain values that tell what made the lines.

    Raises:
        DataError: the folder holds something already.
    """
    with new_folder(folder) as place:
        writer = LineWriter(place, fields)
        try:
            yield writer
        finally:
            digests = writer.close()
        description = {
            "format": FORMAT,
            "lines": len(writer),
            "fields": {name: to_mapping(field) for name, field in fields.items()},
            "facts": dict(facts or {}),
            "digests": digests,
        }
        text = json.dumps(description, ensure_ascii=False, indent=1) + "\n"
        (place / DESCRIPTION).write_bytes(text.encode("utf-8"))


class LineWriter:
    """Appends lines to the files of a store, and keeps none; `new_store` opens it.

    Args:
        folder: of the files.
        fields: what each line has.
    """

    def __init__(self, folder: Path, fields: Mapping[str, Field]) -> None:
        assert fields, "a store of no fields"
        assert all(map(is_field_name, fields)), f"fields are named by small letters: {', '.join(fields)}"
        self.folder, self._fields, self._count = folder, dict(fields), 0
        self._columns = {name: _Column(folder, name, field) for name, field in fields.items()}

    def __len__(self) -> int:
        return self._count

    def add(self, line: Fields) -> None:
        """Append a line.

        Raises:
            DataError: an id lies outside of its field, or a text cannot be written as UTF-8.
        """
        assert line.keys() == self._fields.keys(), f"a line of {', '.join(line)}"
        items = {name: self._columns[name].items_of(value) for name, value in line.items()}
        for name, content in items.items():
            self._columns[name].append(content, np.array([len(content)]))
        self._count += 1

    def add_all(self, store: LineStore) -> None:
        """Append all lines of a store with the same fields, with or without their vocabularies."""
        assert _kinds(store.fields) == _kinds(self._fields), f"{store.folder} has other fields"
        for name, column in self._columns.items():
            column.append_all(store, name)
        self._count += len(store)

    def close(self) -> dict[str, str]:
        """Close the files; their digests by name."""
        digests: dict[str, str] = {}
        for column in self._columns.values():
            digests |= column.close()
        return digests


def _kinds(fields: Mapping[str, Field]) -> dict[str, tuple[str, str | None]]:
    return {name: (field.dtype, getattr(field, "fingerprint", None)) for name, field in fields.items()}


class _Column:
    """The growing files of one field."""

    def __init__(self, folder: Path, name: str, field: Field) -> None:
        self.name, self.field = name, field
        self._end = 0
        self._files = {kind: _Digested(folder / f"{name}.{kind}") for kind in (ITEMS, ENDS)}
        if isinstance(field, IdsField) and field.vocabulary is not None:
            path = folder / f"{name}.{VOCABULARY}"
            field.vocabulary.save(path)
            self._vocabulary = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
        else:
            self._vocabulary = {}

    def items_of(self, value: Value) -> Integer[Array, " item"]:
        if not isinstance(self.field, IdsField):
            assert isinstance(value, str), f"the field {self.name} holds text"
            try:
                return np.frombuffer(value.encode("utf-8"), dtype=np.uint8)
            except UnicodeEncodeError as error:
                raise DataError("a text cannot be written as UTF-8", given=error.reason) from None
        assert not isinstance(value, str), f"the field {self.name} holds ids"
        ids = np.asarray(value, dtype=np.int64)
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < self.field.size:
            given = f"{int(ids.min())} to {int(ids.max())}, the field {self.name} has {self.field.size}"
            raise DataError("an id lies outside of its field", given=given)
        return ids

    def append(self, items: Integer[Array, " item"], lengths: Int[Array, " line"]) -> None:
        self._files[ITEMS].write(items.astype(self.field.dtype).tobytes())
        ends = self._end + np.cumsum(lengths, dtype="<i8")
        self._files[ENDS].write(ends.tobytes())
        self._end = int(ends[-1]) if len(ends) else self._end

    def append_all(self, store: LineStore, name: str) -> None:
        items = store.items(name)
        for start in range(0, len(items), _PIECE):
            self._files[ITEMS].write(items[start : start + _PIECE].tobytes())
        for start in range(0, len(store), _PIECE):
            numbers = np.arange(start, min(start + _PIECE, len(store)))
            self.append(np.zeros(0, dtype=np.uint8), store.lengths(name, numbers))

    def close(self) -> dict[str, str]:
        return {**{file.path.name: file.close() for file in self._files.values()}, **self._vocabulary}


class _Digested:
    """A file that is written from its beginning to its end, and its digest."""

    def __init__(self, path: Path) -> None:
        self.path, self._digest = path, hashlib.sha256()
        self._handle: IO[bytes] = path.open("wb")

    def write(self, content: bytes) -> None:
        self._digest.update(content)
        self._handle.write(content)

    def close(self) -> str:
        self._handle.close()
        return self._digest.hexdigest()
