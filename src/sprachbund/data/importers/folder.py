"""A folder of recordings with transcripts: a ``.txt`` beside each, or one table ``transcripts.tsv`` or ``.csv``."""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sprachbund.data.importers.lines import Line, is_file, read_lines
from sprachbund.data.importers.utterances import NO_TEXT, WHOLE, Item, Note, Parts, Request, Utterance
from sprachbund.errors import DataError

SUFFIXES = {
    *(".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".g722", ".m4a", ".mkv", ".mov", ".mp3", ".mp4"),
    *(".oga", ".ogg", ".opus", ".sph", ".w64", ".wav", ".webm"),
}
TABLES = ("transcripts.tsv", "transcripts.csv")
# Names of columns, the first of which that is there counts.
PATHS = ("path", "file", "file_name", "filename", "audio", "audio_filepath", "wav")
TEXTS = ("text", "sentence", "transcript", "transcription")
SPEAKERS = ("speaker", "speaker_id", "client_id")


def parts(request: Request) -> Parts:
    """The folder as one split, or each of its folders that was asked for.

    Raises:
        DataError: there is no such folder.
    """
    folders = {name: request.path / name for name in request.splits} or {WHOLE: request.path}
    for folder in folders.values():
        if not folder.is_dir():
            raise DataError("there is no such folder", where=folder, mend="Check the path.")
    return {name: partial(read_folder, folder) for name, folder in folders.items()}


def read_folder(folder: Path) -> Iterator[Item]:
    """The recordings below `folder` in the order of their paths, or those of its table in the order of that.

    Raises:
        DataError: a transcript or the table is malformed.
    """
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    return _read_beside(folder) if table is None else _read_table(table)


def _read_beside(folder: Path) -> Iterator[Item]:
    recordings = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    # Without a single transcript it is a folder of speech alone, as pre-training takes it.
    has_texts = any(path.with_suffix(".txt").is_file() for path in recordings)
    for path in recordings:
        identity, transcript = path.relative_to(folder).with_suffix("").as_posix(), path.with_suffix(".txt")
        if has_texts and not transcript.is_file():
            yield Note(NO_TEXT, identity)
            continue
        text = " ".join(line.text.strip() for line in read_lines(transcript)) if has_texts else None
        yield Utterance(id=identity, audio=path, where=str(path), text=text)


def _read_table(table: Path) -> Iterator[Item]:
    columns: tuple[int, int, int | None] | None = None
    for line, cells in _rows(table):
        if columns is None:
            columns = _columns(cells)
            if columns is not None:
                continue
            columns = (0, 1, None)
        path_column, text_column, speaker_column = columns
        if len(cells) <= max(path_column, text_column, speaker_column or 0):
            raise line.fault(
                "a row has too few columns", "Write a path and a text, parted by a tab (tsv) or comma (csv)."
            )
        name = cells[path_column].strip()
        audio = _find_recording(table.parent, name)
        identity = Path(name).with_suffix("").as_posix() if Path(name).suffix.lower() in SUFFIXES else name
        speaker = None if speaker_column is None else cells[speaker_column] or None
        yield Utterance(id=identity, audio=audio, where=line.where, text=cells[text_column], speaker=speaker)


def _rows(table: Path) -> Iterator[tuple[Line, list[str]]]:
    """The cells of each row; a row of csv may not go over several lines, so that each has a line to name."""
    for line in read_lines(table):
        if not line.text.strip():
            continue
        try:
            cells = line.text.split("\t") if table.suffix == ".tsv" else next(csv.reader([line.text], strict=True))
        except csv.Error as error:
            raise line.fault(
                f"the row is no csv: {error}", "Close every quoted cell in the line it begins in."
            ) from None
        yield line, cells


def _columns(cells: list[str]) -> tuple[int, int, int | None] | None:
    """The places of path, text and speaker by their headings; None where the first row is no heading."""
    headings = [cell.strip().lower() for cell in cells]
    path, text, speaker = (
        next((headings.index(name) for name in names if name in headings), None) for names in (PATHS, TEXTS, SPEAKERS)
    )
    return None if path is None or text is None else (path, text, speaker)


def _find_recording(folder: Path, name: str) -> Path:
    """The named file, in `folder` or where Common Voice has it; the suffix may be left out."""
    places = (folder / name, folder / "clips" / name)
    with_suffix = (
        place.with_name(place.name + suffix) for place in places if place.name for suffix in sorted(SUFFIXES)
    )
    return next((place for place in (*places, *with_suffix) if is_file(place)), folder / name)
