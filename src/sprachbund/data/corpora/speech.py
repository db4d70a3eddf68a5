"""How a speech corpus is prepared, whatever it is: recordings one by one, resumable and in shards; then manifests.

A corpus gives a `Speech`: its clips, and a function that decodes one. The recordings of a shard are every n-th of all,
so shards depend on the package alone. Any number of them may run at the same time in one folder; what is written is
left alone, and the call without a shard finds it and writes the manifests.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sprachbund.data.corpora.layout import (
    Clip,
    Corpus,
    Origin,
    Prepared,
    Shard,
    ShardDone,
    begin_corpus,
    find_prepared,
    finish_speech,
    is_written,
    make_folder,
)
from sprachbund.data.corpora.progress import show_progress
from sprachbund.data.corpora.splits import describe_files, held_out_manifests, manifest_lines
from sprachbund.data.workers import in_processes
from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import write_audio

RECORDINGS = "recordings"

_FEW = 128  # recordings a process, below which starting it costs more than it gains
_ABANDONED = 600.0  # seconds after which the temporary file of a recording belongs to a process that was killed


@dataclass(frozen=True)
class Speech:
    """What packages hold of a speech corpus."""

    origin: Origin
    splits: Mapping[str, Sequence[Clip]]
    decode: Callable[[Clip], Float[Array, " sample"]]  # at the clip's rate; sent by pickle
    notes: Mapping[str, Any] = field(default_factory=dict)  # for corpus.json


def speech_corpus(
    read: Callable[[Path | None], Speech],
    *,
    name: str,
    languages: tuple[str, ...],
    minutes: float,
    licence: str,
    description: str,
    avoids: tuple[str, ...] = (),
    kind: str = "speech",
) -> Corpus:
    """A row of the registry for a corpus that `read` finds in packages (those of a source, see `fetch_packages`)."""
    return Corpus(
        name=name,
        languages=languages,
        kind=kind,
        minutes=minutes,
        licence=licence,
        description=description,
        prepare=partial(prepare_speech, read, name, avoids),
        prepare_shard=partial(prepare_shard, read, name),
        avoids=avoids,
    )


def prepare_speech(
    read: Callable[[Path | None], Speech],
    name: str,
    avoids: Sequence[str],
    root: Path,
    source: Path | None = None,
    progress: bool = False,
) -> Prepared:
    """Write a corpus below `root`; recordings that are there already are kept.

    Args:
        read: finds the corpus in its packages.
        name: of the corpus.
        avoids: corpora whose held-out texts the training manifest loses, as far as they are below `root`.
        root: folder of all corpora.
        source: the packages as files or folder, see `fetch_packages`.
        progress: whether to show a bar.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
    """
    held_out = held_out_manifests(root, avoids)
    checked = describe_files(held_out)
    prepared = find_prepared(root / name)
    if prepared is not None and prepared.description.get("checked_against", {}) == checked:
        return prepared
    speech = read(source)
    folder = begin_corpus(root, name)
    _write_recordings(folder, speech, _recordings_of(speech), progress)
    _remove_abandoned(folder)
    texts = manifest_lines(held_out)
    splits = {
        split: [clip for clip in clips if split != "train" or clip.text not in texts]
        for split, clips in speech.splits.items()
    }
    notes = {**speech.notes, "checked_against": checked} if checked else speech.notes
    return finish_speech(folder, speech.origin, splits, notes)


def prepare_shard(
    read: Callable[[Path | None], Speech],
    name: str,
    root: Path,
    source: Path | None,
    progress: bool,
    shard: Shard,
) -> ShardDone:
    """Write the recordings of one shard only; the manifests are left to `prepare_speech`.

    Raises:
        CorpusError: the packages cannot be had, or are damaged, or there is no such shard.
    """
    index, count = shard
    if not 0 <= index < count:
        raise CorpusError("there is no such shard", given=f"{index + 1} of {count}", mend="Count them from 1.")
    prepared = find_prepared(root / name)
    if prepared is not None:
        return ShardDone(prepared.folder, was_complete=True, num_recordings=0)
    speech = read(source)
    folder = make_folder(root, name)
    part = _recordings_of(speech)[index::count]
    _write_recordings(folder, speech, part, progress)
    return ShardDone(folder, was_complete=False, num_recordings=len(part))


def _recordings_of(speech: Speech) -> list[Clip]:
    """A clip for every recording, in an order that depends on nothing else."""
    clips = {clip.recording: clip for clips in speech.splits.values() for clip in clips}
    return [clips[recording] for recording in sorted(clips)]


def _write_recordings(folder: Path, speech: Speech, clips: Sequence[Clip], progress: bool) -> None:
    jobs = min(os.cpu_count() or 1, len(clips) // _FEW)
    written = in_processes(partial(_write_recording, folder, speech.decode), clips, jobs)
    for _ in show_progress(written, f"{speech.origin.name}: {RECORDINGS}", len(clips), progress):
        pass


def _write_recording(folder: Path, decode: Callable[[Clip], Float[Array, " sample"]], clip: Clip) -> None:
    path = folder / clip.recording
    if not is_written(path, clip.num_samples, clip.sampling_rate):
        write_audio(path, decode(clip), clip.sampling_rate)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes have left half written; a younger file may belong to a shard that runs."""
    for path in (folder / RECORDINGS).rglob(".*"):
        if path.is_file() and time.time() - path.stat().st_mtime > _ABANDONED:
            path.unlink(missing_ok=True)
