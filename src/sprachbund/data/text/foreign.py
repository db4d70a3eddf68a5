"""Text as other tools keep it: fairseq's binary sentences, and data sets of the Hugging Face library on the disk."""

from pathlib import Path
from typing import Any

from sprachbund.data.importers.fairseq_text import Sentences
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.text.lines import Line
from sprachbund.errors import DataError
from sprachbund.files import is_file

SAVED, SEVERAL = "dataset_info.json", "dataset_dict.json"


class FairseqText:
    """Sentences of ``SPLIT.idx`` and ``SPLIT.bin`` beside their dictionary, as text.

    Args:
        index: the ``.idx`` file.

    Raises:
        DataError: a file is missing or malformed.
        VocabularyError: the dictionary is malformed.
    """

    def __init__(self, index: Path) -> None:
        self.name, self._index, self._sentences = str(index), index, Sentences(index)

    def __len__(self) -> int:
        return len(self._sentences)

    @property
    def num_bytes(self) -> int:
        """See `TextSource.num_bytes`."""
        return self._sentences.num_bytes

    def line(self, number: int) -> Line:
        """See `TextSource.line`."""
        return Line(number, self._sentences.text(number))

    def fingerprint(self) -> str:
        """See `TextSource.fingerprint`."""
        return "+".join(file_fingerprint(path) for path in self._sentences.files)


def is_data_set(path: Path) -> bool:
    """Whether a folder holds what ``save_to_disk`` wrote."""
    return is_file(path / SAVED) or is_file(path / SEVERAL)


class DatasetText:
    """A column of a data set that ``save_to_disk`` wrote (extra ``datasets``).

    Args:
        folder: of the data set, or of one split where there are several.
        column: of the texts.

    Raises:
        DataError: the extra is not installed, or the data set cannot be used.
    """

    def __init__(self, folder: Path, column: str) -> None:
        self.name, self._folder, self._column = f"{folder}#{column}", folder, column
        self._rows = _column_of(folder, column)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_bytes(self) -> int:
        """See `TextSource.num_bytes`."""
        return int(self._rows.data.nbytes)

    def line(self, number: int) -> Line:
        """See `TextSource.line`."""
        text = self._rows[number][self._column]
        if not isinstance(text, str):
            raise DataError(
                "a row of a data set has no text", where=f"{self.name}, row {number}", given=type(text).__name__
            )
        return Line(number, text)

    def fingerprint(self) -> str:
        """See `TextSource.fingerprint`."""
        files = [file_fingerprint(path) for path in sorted(self._folder.glob("*.arrow"))]
        return f"{'+'.join(files)}#{self._column}"


def _column_of(folder: Path, column: str) -> Any:
    try:
        import datasets
    except ImportError:
        mend = "Install the extra with `pip install 'sprachbund[datasets]'`."
        raise DataError("data sets of Hugging Face need the package datasets", mend=mend) from None
    if is_file(folder / SEVERAL):
        splits = ", ".join(sorted(path.parent.name for path in folder.glob(f"*/{SAVED}")))
        raise DataError("the data set has several splits", where=folder, mend=f"Name the folder of one: {splits}.")
    try:
        rows = datasets.load_from_disk(str(folder))
    except Exception as error:  # the library has no tree of its own, and lets those of many others through
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DataError("the data set cannot be loaded", where=folder, given=reason) from None
    if column not in rows.column_names:
        mend = f"There are: {', '.join(rows.column_names)}."
        raise DataError("no such column", where=folder, given=column, mend=mend)
    return rows.select_columns([column])
