"""What is read of a published corpus before it becomes cuts, and what was found wrong on the way."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MISSING = "recordings that a transcript names are missing"
UNREADABLE = "recordings cannot be read"
UNTRANSCRIBED = "recordings have no transcript"
INCOMPLETE = "annotations of music are incomplete and were passed over"
LEFT_OUT = "utterances are left out by Lhotse's recipe"
EMPTY = "texts are empty"
REPEATED = "ids stand there twice"
OUTSIDE = "segments lie outside their recording or have no length"
SHORTENED = "segments end after their recording and were shortened"


@dataclass(frozen=True)
class Utterance:
    """A recording, or a segment of one, as the corpus describes it."""

    utterance_id: str
    recording: Path
    language: str | None = None
    text: str | None = None  # as published; None where the corpus has no texts
    spoken: str | None = None  # where the corpus tells it: the text with numbers in words
    start: float = 0.0  # seconds
    duration: float | None = None  # None: to the end of the recording
    speaker: str | None = None
    gender: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """A published part of a corpus; problems are lists of examples by kind."""

    utterances: list[Utterance]
    problems: dict[str, list[str]] = field(default_factory=dict)


def compare(named: Set[str], audio: Set[str], taken: Set[str]) -> dict[str, list[str]]:
    """The problems that ids tell: those which transcripts name, those of audio files, those which became utterances."""
    found = {
        MISSING: sorted(named - audio),
        UNTRANSCRIBED: sorted(audio - named),
        LEFT_OUT: sorted((named & audio) - taken),
    }
    return {kind: examples for kind, examples in found.items() if examples}


def places(folder: Path) -> list[Path]:
    """Where an unpacked corpus may begin: in the folder, or in a folder of it, in order of name."""
    return [folder, *sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))]


def visible(paths: Iterable[Path]) -> list[Path]:
    """In order, without the hidden files that some archives carry."""
    return sorted(path for path in paths if not path.name.startswith("."))
