"""NeMo manifests: a JSON object a line, with audio_filepath, duration, and perhaps offset, text, speaker and lang."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sprachbund.data.importers.lines import Line, locate, read_lines
from sprachbund.data.importers.utterances import NO_TEXT, Item, Note, Parts, Request, Utterance, find_lists


@dataclass(frozen=True)
class _Entry:
    line: Line
    record: dict[str, Any]
    audio: Path


def parts(request: Request) -> Parts:
    """The manifest itself, or those in a folder (``.json`` and ``.jsonl``).

    Raises:
        DataError: the source does not exist.
    """
    lists = find_lists(request, ".jsonl", ".json")
    return {name: partial(read_manifest, path) for name, path in lists.items()}


def read_manifest(path: Path) -> Iterator[Item]:
    """The utterances of a manifest; their ids are the paths of the recordings below the folder that they share.

    Raises:
        DataError: a line is no JSON object, or a value is not of its kind.
    """
    entries = [_entry(line) for line in read_lines(path) if line.text.strip()]
    shared = Path(os.path.commonpath([entry.audio.parent for entry in entries])) if entries else Path()
    has_texts = any("text" in entry.record for entry in entries)
    for entry in entries:
        identity = entry.audio.relative_to(shared).with_suffix("").as_posix()
        if has_texts and "text" not in entry.record:
            yield Note(NO_TEXT, identity)
        else:
            yield _utterance(entry, identity)


def _entry(line: Line) -> _Entry:
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError):
        raise line.fault("the line is no JSON", "Write one object a line.") from None
    name = record.get("audio_filepath") if isinstance(record, dict) else None
    if not isinstance(name, str) or not name.strip("./ ") or "\0" in name:
        raise line.fault("the line has no audio_filepath", "Write the path of the recording there.")
    # Without dots, so that the folder that all share can be told; links stay what they are.
    return _Entry(line, record, Path(os.path.normpath(Path.cwd() / locate(name, line.path.parent))))


def _utterance(entry: _Entry, identity: str) -> Utterance:
    offset, duration = (_seconds(entry, name) for name in ("offset", "duration"))
    recording_id = None
    if offset is not None:
        end = "" if duration is None else f"-{round(1000 * (offset + duration)):07d}"
        recording_id, identity = identity, f"{identity}-{round(1000 * offset):07d}{end}"
    return Utterance(
        id=identity,
        audio=entry.audio,
        where=entry.line.where,
        start=offset or 0.0,
        duration=duration,
        text=_words(entry, "text"),
        speaker=_words(entry, "speaker"),
        language=_words(entry, "lang"),
        recording_id=recording_id,
    )


def _seconds(entry: _Entry, name: str) -> float | None:
    value = entry.record.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise entry.line.fault(f"the {name} is no number")
    return entry.line.number_of(repr(value), name)


def _words(entry: _Entry, name: str) -> str | None:
    value = entry.record.get(name)
    if value is not None and not isinstance(value, str | int):
        raise entry.line.fault(f"the value of {name} is no text")
    return None if value is None else str(value)
