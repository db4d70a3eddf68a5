"""Sources of text by their names: plain text, JSON lines, manifests, and what other tools and line stores hold.

A source is named ``PATH`` or ``PATH#FIELD``. Without a field, JSON lines, data sets and stores give their ``text``.
"""

import json
import re
from pathlib import Path
from typing import Any

from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import parse_cut
from sprachbund.data.text.foreign import DatasetText, FairseqText, is_data_set
from sprachbund.data.text.index import IndexedLines
from sprachbund.data.text.lines import DEFAULT_FIELD, Line, TextSource
from sprachbund.data.text.store import LineStore, is_store
from sprachbund.errors import DataError
from sprachbund.files import is_folder

JSON_SUFFIXES = (".jsonl", ".jsonl.gz")
FAIRSEQ_SUFFIXES = (".idx", ".bin")
_HALF_PAIR = re.compile("[\ud800-\udfff]")  # JSON can write what is no text
_CUT = "Cut"  # what the types of Lhotse's cuts end in


def open_text(name: Path | str) -> TextSource:
    """The source of a name; the file behind it is not read, only where its lines end.

    Raises:
        DataError: nothing is there, it is damaged, or it is of no known kind.
    """
    path, field = _split(str(name))
    if is_store(path):
        return StoredText(path, field or DEFAULT_FIELD)
    if is_data_set(path):
        return DatasetText(path, field or DEFAULT_FIELD)
    if is_folder(path):
        mend = "Name a file of text, a line store, or a data set that save_to_disk wrote."
        raise DataError("the folder holds no text", where=path, mend=mend)
    if path.name.endswith(JSON_SUFFIXES):
        return JsonText(path, field)
    if field is not None:
        mend = "Fields are named of JSON lines, data sets and line stores."
        raise DataError("this source has no fields", where=path, given=field, mend=mend)
    return FairseqText(path.with_suffix(".idx")) if path.suffix in FAIRSEQ_SUFFIXES else PlainText(path)


def text_fingerprint(name: Path | str) -> str:
    """What tells whether two runs saw the same lines; nothing is read but bytes.

    Raises:
        DataError: nothing is there, or it is of no known kind.
    """
    return open_text(name).fingerprint()


def _split(name: str) -> tuple[Path, str | None]:
    """Path and field; a ``#`` that belongs to the name of a file is left in it."""
    path, mark, field = name.rpartition("#")
    return (Path(path), field) if mark and field and not Path(name).exists() else (Path(name), None)


class _FileText:
    """What sources in one file share."""

    def __init__(self, path: Path, name: str) -> None:
        self.name, self.path = name, path
        self._lines = IndexedLines(path)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def num_bytes(self) -> int:
        """See `TextSource.num_bytes`."""
        return self._lines.num_bytes

    def _decoded(self, number: int) -> str:
        try:
            return self._lines[number].decode("utf-8")
        except UnicodeDecodeError as error:
            mend = "Write the file as UTF-8, for example with iconv."
            raise DataError("a line is not UTF-8", where=self._where(number), given=error.reason, mend=mend) from None

    def _where(self, number: int) -> str:
        return f"{self.path}, line {number + 1}"


class PlainText(_FileText):
    """One sentence a line; lines end at line feeds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, str(path))

    def line(self, number: int) -> Line:
        """See `TextSource.line`."""
        return Line(number, self._decoded(number))

    def fingerprint(self) -> str:
        """See `TextSource.fingerprint`."""
        return file_fingerprint(self.path)


class JsonText(_FileText):
    """One JSON object a line, with its text under a key; or the cuts of a manifest, with their transcripts.

    Args:
        path: of the file.
        field: the key; None for ``text``, or for a manifest where the first line is a cut.
    """

    def __init__(self, path: Path, field: str | None) -> None:
        super().__init__(path, str(path) if field is None else f"{path}#{field}")
        self._is_manifest = field is None and len(self._lines) > 0 and _is_cut(self._lines[0])
        self._field = field or DEFAULT_FIELD

    def line(self, number: int) -> Line:
        """See `TextSource.line`."""
        written = self._decoded(number)
        if not written.strip():
            return Line(number, "")
        return Line(number, self._transcript(written, number) if self._is_manifest else self._value(written, number))

    def fingerprint(self) -> str:
        """See `TextSource.fingerprint`."""
        return f"{file_fingerprint(self.path)}#{self._field}"

    def _transcript(self, written: str, number: int) -> str:
        cut = parse_cut(written, self.path.parent, self._where(number))
        return " ".join(supervision.text for supervision in cut.supervisions if supervision.text)

    def _value(self, written: str, number: int) -> str:
        try:
            record = json.loads(written)
        except (ValueError, RecursionError) as error:
            mend = "Write one JSON object a line."
            raise DataError("a line is no JSON", where=self._where(number), given=error, mend=mend) from None
        text: Any = record.get(self._field) if isinstance(record, dict) else None
        if not isinstance(text, str) or _HALF_PAIR.search(text):
            keys = ", ".join(map(str, record)) if isinstance(record, dict) else type(record).__name__
            mend = "Name the field of the text as FILE#FIELD."
            given = f"{self._field}; there are: {keys}"
            raise DataError("a line has no such field of text", where=self._where(number), given=given, mend=mend)
        return text


class StoredText:
    """A field of a line store; ids are given as their symbols.

    Args:
        folder: of the store.
        field: its name.

    Raises:
        DataError: the store has no such field.
    """

    def __init__(self, folder: Path, field: str) -> None:
        self.name, self.field, self.store = f"{folder}#{field}", field, LineStore(folder)
        self._items = self.store.items(field)
        self._beside = self.store.text_fields() - {field}

    def __len__(self) -> int:
        return len(self.store)

    @property
    def num_bytes(self) -> int:
        """See `TextSource.num_bytes`."""
        return self._items.nbytes

    def line(self, number: int) -> Line:
        """See `TextSource.line`."""
        beside = {name: self.store.text(name, number) for name in self._beside}
        return Line(number, self.store.text(self.field, number), beside)

    def fingerprint(self) -> str:
        """See `TextSource.fingerprint`."""
        return f"{self.store.fingerprint}#{self.field}"


def _is_cut(line: bytes) -> bool:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and str(record.get("type", "")).endswith(_CUT)
