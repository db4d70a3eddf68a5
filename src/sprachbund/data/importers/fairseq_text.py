"""fairseq's binary text (``--dataset-impl mmap``): ``SPLIT.idx`` with sizes, ``SPLIT.bin`` with tokens, ``dict.txt``.

An index is the magic bytes, version 1 (8 bytes), the code of the tokens' type (1 byte) and the number of sentences
(8 bytes), all little-endian; then a size (4 bytes) and a place in the other file (8 bytes) for each sentence. Megatron
adds the number of documents to the head, and their borders to the end.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sprachbund.data.importers.manifests import Notes, Report
from sprachbund.data.importers.symbols import text_of_symbols
from sprachbund.data.importers.utterances import Note, Request, choose_splits, find_lists
from sprachbund.errors import DataError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Integer
from sprachbund.tokens.vocabulary import BOS, EOS, PAD, Vocabulary

MAGIC, LEGACY_MAGIC = b"MMIDIDX\x00\x00", b"TNTIDX\x00\x00"
HEAD = struct.Struct("<9sQBQ")
TYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2", 9: "<u4", 10: "<u8"}
SILENT = (BOS, PAD, EOS)  # no text
_MEND = "Make the data again with fairseq-preprocess --dataset-impl mmap."


@dataclass(frozen=True)
class TokenFile:
    """Sentences as token ids, read one at a time from the disk."""

    tokens: Integer[Array, " token"]
    ends: Integer[Array, " sentence"]

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, number: int) -> Integer[Array, " token"]:
        start = int(self.ends[number - 1]) if number else 0
        return self.tokens[start : int(self.ends[number])]

    def __iter__(self) -> Iterator[Integer[Array, " token"]]:
        return (self[number] for number in range(len(self)))

    @classmethod
    def open(cls, index: Path) -> "TokenFile":
        """Map an index and the tokens beside it.

        Raises:
            DataError: one of the files is missing, cut short, or not of this format.
        """
        sizes, kind = _read_index(index)
        path = index.with_suffix(".bin")
        try:
            num_bytes = path.stat().st_size
            # An empty file cannot be mapped.
            tokens = np.memmap(path, dtype=kind, mode="r") if num_bytes else np.zeros(0, dtype=kind)
        except (OSError, ValueError) as error:
            raise DataError("the tokens cannot be read", where=path, given=error, mend=_MEND) from None
        ends = np.cumsum(sizes, dtype=np.int64)
        expected = int(ends[-1]) if len(ends) else 0
        if len(tokens) != expected:
            given = f"{len(tokens)} tokens, the index has {expected}"
            raise DataError("the tokens are not those of the index", where=path, given=given, mend=_MEND)
        return cls(tokens, ends)


class Sentences:
    """The text of every sentence, reached by its number.

    Args:
        index: the ``.idx`` file; tokens and dictionary are beside it.

    Raises:
        DataError: a file is missing or malformed.
        VocabularyError: the dictionary is malformed.
    """

    def __init__(self, index: Path) -> None:
        self.files = (index, index.with_suffix(".bin"), _dictionary(index))
        self._vocabulary, self._file = Vocabulary.from_fairseq(self.files[2]), TokenFile.open(index)

    def __len__(self) -> int:
        return len(self._file)

    @property
    def num_bytes(self) -> int:
        """Bytes of the tokens."""
        return self._file.tokens.nbytes

    def text(self, number: int) -> str:
        """The text of a sentence, counted from 0.

        Raises:
            DataError: a token is not in the dictionary.
        """
        ids = self._file[number]
        if len(ids) and (int(ids.min()) < 0 or int(ids.max()) >= len(self._vocabulary)):
            raise DataError(
                "a token is not in the dictionary",
                where=f"{self.files[1]}, sentence {number + 1}",
                given=f"{int(ids.max())}, the dictionary has {len(self._vocabulary)}",
                mend="Take the dictionary that belongs to the data.",
            )
        return text_of_symbols([self._vocabulary.symbol_of(index) for index in ids.tolist() if index not in SILENT])


def import_text(request: Request) -> list[Report]:
    """Write the sentences of each split as lines of ``SPLIT.txt``.

    Raises:
        DataError: a file is missing or malformed, or a token is not in the dictionary.
    """
    found = find_lists(request, ".idx")
    return [_import_split(found[split], split, request.out) for split in choose_splits(request, found)]


def read_sentences(index: Path) -> Iterator[str]:
    """The text of every sentence.

    Raises:
        DataError: a file is missing or malformed, or a token is not in the dictionary.
        VocabularyError: the dictionary is malformed.
    """
    sentences = Sentences(index)
    yield from map(sentences.text, range(len(sentences)))


def _import_split(index: Path, split: str, out: Path) -> Report:
    notes, lines, words, path = Notes(), 0, 0, out / f"{split}.txt"
    with write_atomically(path, "w") as handle:
        for number, text in enumerate(read_sentences(index), start=1):
            # A symbol may hold any blank; a line of the result may not.
            said = " ".join(text.split())
            if not said:
                notes.add(Note("without a text", f"sentence {number}"))
                continue
            handle.write(f"{said}\n")
            lines, words = lines + 1, words + len(said.split())
        if not lines:
            raise DataError("nothing is left to import", where=index, given="; ".join(notes.lines()) or "no sentence")
    return Report(split, path, f"{lines} lines, {words} words", tuple(notes.lines()))


def _dictionary(index: Path) -> Path:
    """``dict.LANGUAGE.txt`` where the file is named after one (``train.en-de.en.idx``), else ``dict.txt``."""
    own = index.with_name(f"dict.{index.stem.rpartition('.')[2]}.txt")
    return own if own.is_file() else index.with_name("dict.txt")


def _read_index(path: Path) -> tuple[Integer[Array, " sentence"], str]:
    """The size of each sentence, and the type of the tokens."""
    try:
        with path.open("rb") as handle:
            head, num_bytes = handle.read(HEAD.size), path.stat().st_size
            if head.startswith(LEGACY_MAGIC):
                raise DataError("the index is of fairseq's old format", where=path, mend=_MEND)
            if len(head) < HEAD.size or not head.startswith(MAGIC):
                raise DataError("the file is no index of fairseq", where=path, mend=_MEND)
            _, version, code, count = HEAD.unpack(head)
            if version != 1 or code not in TYPES:
                given = f"version {version}, type {code}"
                raise DataError("the index is of an unknown kind", where=path, given=given, mend=_MEND)
            start = HEAD.size
            if num_bytes != start + 12 * count:
                start += 8
                documents = int.from_bytes(handle.read(8), "little")
                if num_bytes != start + 12 * count + 8 * documents:
                    given = f"{num_bytes} bytes for {count} sentences"
                    raise DataError("the index is cut short", where=path, given=given, mend=_MEND)
            sizes = np.fromfile(handle, dtype="<i4", count=count, offset=start - handle.tell())
            places = np.fromfile(handle, dtype="<i8", count=count)
    except OSError as error:
        raise DataError("the index cannot be read", where=path, given=error.strerror, mend=_MEND) from None
    width = np.dtype(TYPES[code]).itemsize
    if (sizes < 0).any() or (places != (np.cumsum(sizes, dtype=np.int64) - sizes) * width).any():
        raise DataError("the sizes of the index do not go together", where=path, mend=_MEND)
    return sizes, TYPES[code]
