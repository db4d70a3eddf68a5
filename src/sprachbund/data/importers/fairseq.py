"""fairseq's lists of recordings: ``SPLIT.tsv`` with labels in ``SPLIT.ltr``, ``.wrd``, ``.txt``, ``.km`` and ``.phn``.

The first line of a list is the folder of the recordings, each other one a path and a number of samples. The third
column that SpeechT5 has is the file of a speaker vector. ``SPLIT.id``, where it is there, names the utterances.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from lhotse.array import Array as ArrayManifest

from sprachbund.data.importers.lines import Line, read_lines
from sprachbund.data.importers.symbols import text_of_letters, text_of_symbols
from sprachbund.data.importers.utterances import FrameLabels, Item, Note, Parts, Request, Utterance, find_lists
from sprachbund.data.units import fewest_labels
from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.vocabulary import SPECIAL_SYMBOLS, Vocabulary

# The first of these that is there gives the text: the nearer to it, the earlier.
TEXTS: dict[str, Callable[[str], str]] = {
    "wrd": str.strip,
    "txt": lambda text: text_of_symbols(text.split()),
    "ltr": lambda text: text_of_letters(text.split()),
}
FRAME_LABELS = {"km": "units", "phn": "phonemes"}  # -> fields of a cut
LABEL_RATES = (25, 50, 100)  # a second; a list does not tell its own
TOLERANCE_SECONDS = 0.1  # by which labels may fall short of a recording or exceed it; fairseq's own
SPEAKER_FIELD = "speaker_embedding"
IDS = "id"


@dataclass(frozen=True)
class _Row:
    line: Line
    root: Path
    name: str
    num_samples: int
    speaker: str | None  # file of a speaker vector


@dataclass(frozen=True)
class _Aligned:
    """Labels of all rows at the rate that was found."""

    field: str
    path: Path
    vocabulary: Vocabulary
    rate: int

    @property
    def fingerprint(self) -> str:
        """Tells dictionaries apart, and says that it is one."""
        return f"{self.path.suffix[1:]}:{self.vocabulary.fingerprint()}"


def parts(request: Request) -> Parts:
    """The list itself, or those in a folder.

    Raises:
        DataError: the source does not exist.
    """
    return {name: partial(read_split, path) for name, path in find_lists(request, ".tsv").items()}


def read_split(path: Path) -> Iterator[Item]:
    """The utterances of a list, with all labels that lie beside it.

    Raises:
        DataError: a line is malformed, or the labels are not as many as the recordings or do not fit their length.
        VocabularyError: a dictionary is missing or malformed.
    """
    rows = list(_read_rows(path))
    texts = next((path.with_suffix(f".{name}") for name in TEXTS if path.with_suffix(f".{name}").is_file()), None)
    said = [None] * len(rows) if texts is None else [_text(line) for line in _beside(texts, rows)]
    ids = path.with_suffix(f".{IDS}")
    named = [line.text for line in _beside(ids, rows)] if ids.is_file() else [_identity(row) for row in rows]
    aligned = [
        _find_rate(path.with_suffix(f".{label}"), field, rows)
        for label, field in FRAME_LABELS.items()
        if path.with_suffix(f".{label}").is_file()
    ]
    labels = zip(*(_read_labels(one, rows) for one in aligned), strict=True) if aligned else iter([()] * len(rows))
    for row, identity, text, own in zip(rows, named, said, labels, strict=True):
        if any(is_repeated for _, is_repeated in own):
            yield Note("whose last label was repeated, because frames were more", identity, is_kept=True)
        custom = {} if row.speaker is None else _speaker_vector(row, row.speaker)
        if isinstance(custom, Note):
            yield custom
            continue
        yield Utterance(
            id=identity,
            audio=row.root / row.name,
            where=row.line.where,
            text=text,
            num_samples=row.num_samples,
            labels=tuple(one for one, _ in own),
            custom=custom,
        )


def _read_rows(path: Path) -> Iterator[_Row]:
    root: Path | None = None
    for line in read_lines(path):
        if root is None:
            if "\t" in line.text or not line.text.strip():
                raise line.fault("the first line is not the folder of the recordings", "Write its path there.")
            root = path.parent / line.text.strip()
        elif line.text.strip():
            fields = line.text.split("\t")
            if len(fields) not in (2, 3) or not (fields[1].isascii() and fields[1].isdigit()) or len(fields[1]) > 15:
                raise line.fault("the line is not a path, a tab and a number of samples")
            yield _Row(line, root, fields[0], int(fields[1]), fields[2] if len(fields) > 2 else None)


def _beside(path: Path, rows: list[_Row]) -> Iterator[Line]:
    """The lines of labels, one for each row.

    Raises:
        DataError: there are more or fewer.
    """
    count = 0
    for count, line in enumerate(read_lines(path), start=1):
        if count <= len(rows):
            yield line
    if count != len(rows):
        given, mend = f"{count} lines for {len(rows)} recordings", "Take list and labels of one preparation."
        raise DataError("the labels are not as many as the recordings", where=path, given=given, mend=mend)


def _text(line: Line) -> str:
    return TEXTS[line.path.suffix[1:]](line.text)


def _identity(row: _Row) -> str:
    return Path(row.name).with_suffix("").as_posix().lstrip("/") if Path(row.name).name else row.name


def _find_rate(path: Path, field: str, rows: list[_Row]) -> _Aligned:
    """How many labels a second there are, over all recordings; each then has to fit.

    Raises:
        DataError: the labels of a recording do not fit its length at that rate.
        VocabularyError: the dictionary is missing or malformed.
    """
    vocabulary = Vocabulary.from_fairseq(path.with_name(f"dict.{path.suffix[1:]}.txt"))
    counts = [len(line.text.split()) for line in _beside(path, rows)]
    seconds = [row.num_samples / SAMPLING_RATE for row in rows]
    # The middle one, so that a few wrong recordings do not hide behind another rate.
    rates = [count / length for count, length in zip(counts, seconds, strict=True) if length]
    found = statistics.median(rates or LABEL_RATES)
    rate = min(LABEL_RATES, key=lambda rate: abs(rate - found))
    for number, (count, length) in enumerate(zip(counts, seconds, strict=True), start=1):
        if abs(count / rate - length) > TOLERANCE_SECONDS:
            raise DataError(
                "the labels do not fit the length of the recording",
                where=f"{path}, line {number}",
                given=f"{count} labels, {length * rate:.0f} expected at {rate} a second",
                mend="Give a label for each frame of 16 kHz speech, or take this label file away.",
            )
    return _Aligned(field, path, vocabulary, rate)


def _read_labels(aligned: _Aligned, rows: list[_Row]) -> Iterator[tuple[FrameLabels, bool]]:
    """The labels of each row, by their place in the dictionary; whether the last had to be repeated.

    fairseq drops frames without a label; here every frame has one.
    """
    for row, line in zip_longest(rows, _beside(aligned.path, rows)):
        ids = [_label_id(symbol, aligned.vocabulary, line) for symbol in line.text.split()]
        fewest = fewest_labels(row.num_samples, aligned.rate)
        labels: Int[Array, " label"] = np.array(ids, dtype=np.int64)
        missing = max(0, fewest - len(labels)) if len(labels) else 0
        labels = np.pad(labels, (0, missing), mode="edge") if missing else labels
        yield FrameLabels(aligned.field, labels, 1 / aligned.rate, aligned.fingerprint), missing > 0


def _label_id(symbol: str, vocabulary: Vocabulary, line: Line) -> int:
    if symbol not in vocabulary or symbol in SPECIAL_SYMBOLS:
        mend = f"Take the dictionary that belongs to {line.path.name}."
        raise line.fault(f"the label '{symbol[:40]}' is not in the dictionary", mend)
    return vocabulary.id_of(symbol) - len(SPECIAL_SYMBOLS)


def _speaker_vector(row: _Row, name: str) -> dict[str, Any] | Note:
    path = row.root / name
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return Note("whose speaker vector cannot be read", str(path))
    return {SPEAKER_FIELD: ArrayManifest("numpy_files", str(path.parent), path.name, list(stored.shape))}
