"""Kaldi data folders: wav.scp, and text, utt2spk, spk2gender, utt2lang and segments where they are there.

Lhotse's own reader runs what wav.scp says; here a command is refused.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sprachbund.data.importers.lines import Line, locate, read_table
from sprachbund.data.importers.utterances import NO_TEXT, Item, Note, Parts, Request, Utterance, find_folders

Table = dict[str, tuple[str, Line]]
RECORDINGS = "wav.scp"


def parts(request: Request) -> Parts:
    """The data folder itself, or the data folders in it.

    Raises:
        DataError: there is no such folder.
    """
    return {name: partial(read_data, folder) for name, folder in find_folders(request, RECORDINGS).items()}


def read_data(folder: Path) -> Iterator[Item]:
    """The utterances of a data folder in the order of ``segments``, or of ``wav.scp`` where there is none.

    Raises:
        DataError: a list is malformed, or a recording is a command or lies in an archive.
    """
    recordings = {key: _recording(name, line, folder) for key, (name, line) in read_table(folder / RECORDINGS).items()}
    texts, speakers, genders, languages = (
        _read_optional(folder / name) for name in ("text", "utt2spk", "spk2gender", "utt2lang")
    )
    segments = _read_optional(folder / "segments")
    spans = recordings if segments is None else segments
    for identity in texts or ():
        if identity not in spans:
            yield Note("texts without a recording", identity)
    for identity in spans:
        if texts is not None and identity not in texts:
            yield Note(NO_TEXT, identity)
            continue
        recording, start, duration, line = identity, 0.0, None, None
        if segments is not None:
            recording, start, duration, line = _segment(*segments[identity])
            if recording not in recordings:
                raise line.fault(f"the segment is of a recording that {RECORDINGS} does not have")
        speaker = _lookup(speakers, identity)
        yield Utterance(
            id=identity,
            audio=recordings[recording],
            where=str(folder / RECORDINGS) if line is None else line.where,
            start=start,
            duration=duration,
            text=_lookup(texts, identity),
            speaker=speaker,
            gender=_lookup(genders, speaker),
            language=_lookup(languages, identity),
            recording_id=None if segments is None else recording,
        )


def _recording(name: str, line: Line, folder: Path) -> Path:
    if name.endswith("|"):
        mend = "Write the recordings as files first, for example with Kaldi's wav-copy."
        raise line.fault("the recording is a command, and commands are not run", mend)
    stem, colon, offset = name.rpartition(":")
    if colon and offset.isdigit() and stem.endswith(".ark"):
        raise line.fault("the recording lies in a Kaldi archive", "Write the recordings as files first.")
    if not name:
        raise line.fault("the recording has no file", "Write the lines as 'recording-id path'.")
    return locate(name, folder)


def _segment(content: str, line: Line) -> tuple[str, float, float | None, Line]:
    """Recording, start and duration of a line of segments; an end of -1 is that of the recording."""
    fields = content.split()
    if len(fields) not in (3, 4):
        raise line.fault("the line is no segment", "Write it as 'utterance-id recording-id start end'.")
    start = line.number_of(fields[1], "start")
    if fields[2] in ("-1", "-1.0"):
        return fields[0], start, None, line
    end = line.number_of(fields[2], "end")
    if end <= start:
        raise line.fault("the segment ends before it starts")
    return fields[0], start, end - start, line


def _read_optional(path: Path) -> Table | None:
    return read_table(path) if path.is_file() else None


def _lookup(table: Table | None, key: str | None) -> str | None:
    return table[key][0] if table is not None and key in table else None
