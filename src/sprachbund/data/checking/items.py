"""Cuts as a check keeps them: a few plain values each, read line by line from manifests that may be damaged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lhotse.cut import MixedCut, PaddingCut

from sprachbund.data.checking.labels import Labels, read_labels
from sprachbund.data.checking.lines import Line, read_lines
from sprachbund.data.checking.problems import Problem
from sprachbund.data.storage.manifest import parse_cut
from sprachbund.errors import DataError


@dataclass(frozen=True, slots=True)
class Part:
    """What a cut takes of one file; a mixture takes several."""

    path: str  # resolved
    start: float = 0.0  # seconds
    end: float = float("inf")
    # As the manifest declares them: sampling rate, samples, channels. None where Lhotse changes the recording as it is
    # read, and so neither these nor the times are those of the file.
    declared: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What is checked of a cut."""

    file: Path  # its manifest
    line: int
    id: str
    duration: float  # seconds
    parts: tuple[Part, ...]
    foreign: str | None  # the kind of a recording that is no file
    texts: tuple[str, ...]
    speaker: str | None
    language: str | None
    labels: Labels | None

    def problem(self, kind: str, detail: str) -> Problem:
        """A problem of this cut."""
        return Problem(kind, detail, self.file, self.line, self.id, self.parts[0].path if self.parts else None)


def read_items(path: Path, tell: Callable[[Problem], None], *, is_quick: bool = False) -> Iterator[Item]:
    """The cuts of a manifest; what is none, or cannot be read, is told and passed over.

    Args:
        path: of the manifest.
        tell: takes the problems.
        is_quick: stored arrays of units stay closed.

    Raises:
        DataError: there is no such file.
    """
    folder = path.parent.resolve()
    has_content = False
    for line in read_lines(path):
        if line.damage is not None:
            tell(Problem("damaged-file", f"after {line.number - 1} lines: {line.damage}", path, line.number))
        elif line.content.strip():
            item = _read_item(line, path, folder, is_quick)
            if isinstance(item, Problem):
                tell(item)
            else:
                yield item
        else:
            continue
        has_content = True
    if not has_content:
        tell(Problem("damaged-file", "the manifest is empty", path, 0))


def cut_of(line: Line, path: Path, folder: Path) -> Any:
    """The cut of a line.

    Raises:
        DataError: it is none.
    """
    if not line.is_whole:
        raise DataError("the line is too long for a cut", where=path, given=f"more than {len(line.content)} bytes")
    try:
        return parse_cut(line.content.decode("utf-8"), folder, f"{path}, line {line.number}")
    except UnicodeDecodeError as error:
        raise DataError("the line is not UTF-8 text", where=path, given=error.reason) from None


def _read_item(line: Line, path: Path, folder: Path, is_quick: bool) -> Item | Problem:
    try:
        return _item(cut_of(line, path, folder), path, line.number, is_quick)
    except DataError as error:
        detail = error.what if error.given is None else f"{error.what} ({error.given})"
        # What is wrong with a cut is given behind the name of the field.
        has_bad_times = str(error.given).partition(":")[0] in ("start", "duration")
        return Problem("bad-times" if has_bad_times else "bad-line", detail, path, line.number)
    except (OverflowError, TypeError, ValueError) as error:  # such as paths that no file can have
        return Problem("bad-line", f"the line is no valid cut ({error})", path, line.number)


def _item(cut: Any, path: Path, number: int, is_quick: bool) -> Item:
    parts, foreign = _parts(cut)
    supervisions = [] if isinstance(cut, PaddingCut) else cut.supervisions
    first = supervisions[0] if supervisions else None
    return Item(
        file=path,
        line=number,
        id=cut.id,
        duration=float(cut.duration),
        parts=tuple(parts),
        foreign=foreign,
        texts=tuple(each.text for each in supervisions if each.text is not None),
        speaker=None if first is None else first.speaker,
        language=None if first is None else first.language,
        labels=read_labels(cut, is_quick=is_quick),
    )


def _parts(cut: Any) -> tuple[list[Part], str | None]:
    """The files that a cut takes sound of, and the kind of a source that is none."""
    if isinstance(cut, PaddingCut):
        return [], None
    if isinstance(cut, MixedCut):
        parts, foreign = [], None
        for track in cut.tracks:
            more, other = _parts(track.cut)
            parts += more
            foreign = foreign or other
        return parts, foreign
    recording = cut.recording
    if recording is None or not recording.sources:
        return [], "none"
    if others := [source.type for source in recording.sources if source.type != "file"]:
        return [], others[0]
    return [_part(cut, recording, source) for source in recording.sources], None


def _part(cut: Any, recording: Any, source: Any) -> Part:
    path = _resolve(source.source)
    if recording.transforms:
        return Part(path)
    declared = (recording.sampling_rate, recording.num_samples, len(source.channels))
    return Part(path, float(cut.start), float(cut.end), declared)


@lru_cache(maxsize=4096)
def _resolve(source: str) -> str:
    return str(Path(source).resolve())
