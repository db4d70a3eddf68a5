"""Lhotse's own manifests: cuts, or recordings with their supervisions, as lines of JSON."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lhotse import CutSet, MonoCut
from lhotse.cut import Cut
from lhotse.utils import fastcopy

from sprachbund.data.importers.lines import BYTE_ORDER_MARK, Line, is_file, locate
from sprachbund.data.importers.utterances import Item, Note, Parts, Request, find_lists
from sprachbund.data.storage.manifest import parse_cut, read_cuts, read_manifest_bytes
from sprachbund.errors import DataError

RECORDINGS, SUPERVISIONS = "recordings", "supervisions"
ENDINGS = (".jsonl.gz", ".jsonl")


def parts(request: Request) -> Parts:
    """The manifest itself, or those in a folder; one of recordings goes with that of supervisions beside it.

    Raises:
        DataError: the source does not exist.
    """
    found: dict[str, Callable[[], Iterator[Item]]] = {}
    for name, path in find_lists(request, *ENDINGS).items():
        target = request.out / f"{name}.jsonl.gz"
        if is_file(target) and target.samefile(path):
            raise DataError("the manifest would be written over its source", where=path, mend="Give another --out.")
        if SUPERVISIONS in name and _partner(path, SUPERVISIONS, RECORDINGS).is_file():
            continue
        if RECORDINGS in name:
            shared = "".join(part.strip("_-.") + "_" for part in name.split(RECORDINGS) if part.strip("_-."))
            found[shared.rstrip("_") or name] = partial(read_recordings, path)
        else:
            found[name] = partial(read_manifest, path)
    return found


def read_manifest(path: Path) -> Iterator[Item]:
    """The cuts of a manifest; one with several supervisions becomes a cut for each.

    Raises:
        DataError: the file is no manifest of cuts.
    """
    for cut in read_cuts(path):
        yield from _part(_relocate(cut, path))


def read_recordings(path: Path) -> Iterator[Item]:
    """A cut for each supervision of the recordings, or for each recording where there is no file of supervisions.

    Raises:
        DataError: a line is not of its kind, or a recording is there twice.
    """
    recordings: dict[str, dict[str, Any]] = {}
    for line, record in _records(path):
        identity = record.get("id")
        if not isinstance(identity, str) or identity in recordings:
            raise line.fault("the line is no recording with an id of its own")
        recordings[identity] = record
        cut = _cut(record, {"id": identity, "start": 0.0, "duration": record.get("duration")}, [], line)
        if not _supervisions(path).is_file():
            yield _relocate(cut, path)
    for line, said in _records(_supervisions(path)) if _supervisions(path).is_file() else ():
        recording = recordings.get(str(said.get("recording_id")))
        if recording is None:
            yield Note("supervisions without a recording", str(said.get("id")))
            continue
        span = {key: said.get(key) for key in ("id", "start", "duration")}
        cut = _cut(recording, span, [said], line)
        # Times of a cut's supervisions count from its start.
        moved = [one.with_offset(-cut.start) for one in cut.supervisions]
        yield _relocate(fastcopy(cut, supervisions=moved), path)


def _supervisions(path: Path) -> Path:
    return _partner(path, RECORDINGS, SUPERVISIONS)


def _cut(recording: dict[str, Any], span: dict[str, Any], said: list[dict[str, Any]], line: Line) -> Any:
    """A cut out of the records of others, looked at as those of manifests are."""
    try:
        channel = recording["sources"][0]["channels"][0]
        record = {"type": "MonoCut", **span, "channel": channel, "recording": recording, "supervisions": said}
        return parse_cut(json.dumps(record), line.path.parent.resolve(), line.where)
    except (KeyError, IndexError, TypeError, RecursionError):
        raise line.fault("the line is no recording or supervision of Lhotse") from None


def _part(cut: Cut) -> Iterator[Cut]:
    if len(cut.supervisions) < 2:
        yield cut
    else:
        yield from CutSet.from_cuts([cut]).trim_to_supervisions(keep_overlapping=False)


def _partner(path: Path, one: str, other: str) -> Path:
    """The file that goes with a file of recordings or of supervisions."""
    return path.with_name(path.name.replace(one, other))


def _relocate(cut: Cut, manifest: Path) -> Cut:
    """Lhotse writes paths as it got them, often relative to the folder that it was run in."""
    if not isinstance(cut, MonoCut) or cut.recording is None:
        return cut
    folder, sources = manifest.parent.resolve(), []
    for source in cut.recording.sources:
        path = Path(source.source)
        if source.type == "file" and path.is_relative_to(folder):
            source = replace(source, source=str(locate(str(path.relative_to(folder)), folder)))
        sources.append(source)
    return fastcopy(cut, recording=fastcopy(cut.recording, sources=sources))


def _records(path: Path) -> Iterator[tuple[Line, dict[str, Any]]]:
    content = read_manifest_bytes(path).removeprefix(BYTE_ORDER_MARK)
    for number, raw in enumerate(content.split(b"\n"), start=1):
        line = Line(path, number, raw.decode("utf-8", "replace"))
        if not line.text.strip():
            continue
        try:
            record = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError):
            raise line.fault("the line is no JSON") from None
        if not isinstance(record, dict):
            raise line.fault("the line is no recording and no supervision")
        yield line, record
