"""What the readers of formats give: utterances before they become cuts, and what was left out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lhotse.cut import Cut

from sprachbund.errors import DataError
from sprachbund.shapes import Array, Int

NO_TEXT = "without a text"
NO_RECORDING = "without a recording"
WHOLE = "all"  # the split of a source that has none


@dataclass(frozen=True)
class Encoded:
    """A recording as the bytes of a file."""

    content: bytes
    suffix: str


@dataclass(frozen=True)
class FrameLabels:
    """Labels of an utterance at a steady rate, such as units."""

    field: str  # of the cut
    labels: Int[Array, " label"]
    frame_shift: float  # seconds
    fingerprint: str  # of what made them, with their dictionary


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A recording or a part of one, with what is known about it."""

    id: str
    audio: Path | Encoded
    where: str  # what names it, for messages
    start: float = 0.0
    duration: float | None = None  # seconds; None is up to the end
    text: str | None = None  # None where the source has no texts at all
    speaker: str | None = None
    gender: str | None = None
    language: str | None = None
    recording_id: str | None = None  # where it is not the utterance's own
    num_samples: int | None = None  # of the whole recording, where the source tells
    labels: tuple[FrameLabels, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Note:
    """Something a user should know about the result; alike notes are counted and some of them shown."""

    what: str
    example: str
    is_kept: bool = False  # the example is in the manifest all the same


Item: TypeAlias = Utterance | Cut | Note


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asks for."""

    source: str  # a path, or a name of the Hugging Face hub
    out: Path
    splits: tuple[str, ...] = ()  # none: all
    language: str | None = None  # of the texts, where the source does not tell
    is_copied: bool = False  # whether the recordings go below `out`
    manifest: Path | None = None  # that alignments are attached to
    text_column: str | None = None  # of Hugging Face data sets

    @property
    def path(self) -> Path:
        """The source where it is a path."""
        return Path(self.source)


Parts = Mapping[str, Callable[[], Iterable[Item]]]  # split -> its reader


def choose_splits(request: Request, found: Mapping[str, Any]) -> list[str]:
    """The splits asked for, or all that were found.

    Raises:
        DataError: one is not there, or there is none.
    """
    if not found:
        raise DataError("nothing of this format is there", where=request.source, mend="Check the path and the format.")
    missing = [name for name in request.splits if name not in found]
    if missing:
        known = ", ".join(sorted(found))
        raise DataError("no such split", where=request.source, given=missing[0], mend=f"There are: {known}.")
    return list(request.splits or found)


def find_lists(request: Request, *endings: str) -> dict[str, Path]:
    """Split -> its list: the source itself, or the files in it that end in one of `endings`; hidden ones are not taken.

    Raises:
        DataError: the source does not exist.
    """
    source = request.path
    if not source.exists():
        raise DataError("the source does not exist", where=source, mend="Check the path.")
    paths = sorted(source.iterdir()) if source.is_dir() else [source]
    found = {}
    for path in paths:
        ending = next((ending for ending in endings if path.name.endswith(ending)), "")
        if path == source or (ending and path.is_file() and not path.name.startswith(".")):
            found[path.name.removesuffix(ending) if ending else path.stem] = path
    return found


def find_folders(request: Request, needed: str) -> dict[str, Path]:
    """Split -> its folder: the source itself if it holds the file `needed`, else those of its folders that do."""
    source = request.path
    if (source / needed).is_file():
        return {(source.resolve().name or WHOLE): source}
    if not source.is_dir():
        raise DataError("the source is no folder", where=source, mend="Check the path.")
    return {path.name: path for path in sorted(source.iterdir()) if (path / needed).is_file()}
