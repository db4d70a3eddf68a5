"""What every prepared corpus looks like on disk, and what is written last.

ROOT/NAME/recordings/*.flac     speech at its native rate, 16 bit
ROOT/NAME/{train,dev,test}.jsonl.gz   manifests of cuts; ``all`` is the whole as a test set
ROOT/NAME/text.txt              of a text corpus: normalised lines, none of which is held out by a corpus
ROOT/NAME/{train,dev,test}.en-es.{en,es}.txt   of a parallel text corpus: line by line, as written
ROOT/NAME/LICENSE.txt           attribution, and the package's own notices
ROOT/NAME/corpus.json           name, licence, versions, counts, fingerprint; its presence says: complete
"""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lhotse import MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from sprachbund.data.corpora.package_cache import Package, package_version
from sprachbund.data.storage.manifest import read_manifest_bytes, write_cuts
from sprachbund.errors import AudioError, CorpusError, DataError
from sprachbund.files import write_atomically
from sprachbund.signal.audio import probe_audio, read_audio

LAYOUT_VERSION = 1  # a corpus of another layout is prepared anew
DESCRIPTION = "corpus.json"
TEXT = "text.txt"

Shard = tuple[int, int]  # index from 0, and how many there are


@dataclass(frozen=True)
class Corpus:
    """A corpus that can be fetched and prepared."""

    name: str
    languages: tuple[str, ...]
    kind: str  # "speech", "text" or "noise"
    minutes: float | None  # of prepared recordings
    licence: str
    description: str
    prepare: Callable[[Path, Path | None, bool], "Prepared"]  # (root, source, show progress)
    # Writes only the recordings of a shard; None where there is nothing to share out.
    prepare_shard: Callable[[Path, Path | None, bool, Shard], "ShardDone"] | None = None
    avoids: tuple[str, ...] = ()  # speech corpora whose held-out texts its training manifest loses


@dataclass(frozen=True)
class Prepared:
    """A corpus that lies complete on disk."""

    folder: Path
    was_complete: bool  # nothing had to be done
    description: Mapping[str, Any]  # the content of corpus.json


@dataclass(frozen=True)
class ShardDone:
    """The recordings of a shard are there."""

    folder: Path
    was_complete: bool  # the whole corpus was there already
    num_recordings: int  # of the shard


@dataclass(frozen=True)
class Clip:
    """A recording with its text, before it becomes a cut."""

    clip_id: str
    recording: str  # path below the corpus folder
    sampling_rate: int
    num_samples: int
    text: str  # empty for what is no speech
    language: str
    speaker: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / self.sampling_rate


@dataclass(frozen=True)
class Origin:
    """Where a corpus comes from, as its corpus.json and LICENSE.txt tell."""

    name: str
    languages: tuple[str, ...]
    licence: str
    attribution: str
    packages: tuple[tuple[Package, Path], ...]  # with the folders of their content
    notices: tuple[str, ...]  # files below usr/share/doc/PACKAGE of the first package


def find_prepared(folder: Path) -> Prepared | None:
    """The corpus in `folder` if it is complete, of this layout, and has the manifests it was finished with."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        if description["layout"] != LAYOUT_VERSION:
            return None
        if description["fingerprint"] != fingerprint_files([folder / name for name in description["files"]]):
            return None
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return None
    return Prepared(folder, was_complete=True, description=description)


def begin_corpus(root: Path, name: str) -> Path:
    """Create the folder of a corpus, and withdraw the mark of completeness that it may carry.

    Raises:
        CorpusError: the folder cannot be written to.
    """
    folder = make_folder(root, name)
    (folder / DESCRIPTION).unlink(missing_ok=True)
    return folder


def make_folder(root: Path, name: str) -> Path:
    """Create the folder of a corpus, as it is where it exists.

    Raises:
        CorpusError: it cannot be created.
    """
    folder = root / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CorpusError(
            "the corpus folder cannot be created",
            where=folder,
            given=error.strerror,
            mend="Choose a folder that you may write to with --root.",
        ) from None
    return folder


def finish_speech(
    folder: Path, origin: Origin, splits: Mapping[str, Sequence[Clip]], notes: Mapping[str, Any]
) -> Prepared:
    """Write the manifests of a corpus whose recordings are there, its licence, and last its description.

    Args:
        folder: of the corpus.
        origin: where it comes from.
        splits: name of a manifest -> its clips; their order is kept.
        notes: further entries of the description.
    """
    for split, clips in splits.items():
        write_cuts([_to_cut(clip, folder) for clip in clips], folder / f"{split}.jsonl.gz")
    counts = {split: count_clips(clips) for split, clips in splits.items()}
    return finish_corpus(folder, origin, [f"{split}.jsonl.gz" for split in splits], {"splits": counts, **notes})


def finish_corpus(folder: Path, origin: Origin, files: Sequence[str], notes: Mapping[str, Any]) -> Prepared:
    """Write the licence, then the description with the fingerprint of `files`."""
    with write_atomically(folder / "LICENSE.txt", "w") as handle:
        handle.write(_licence_text(origin))
    return refinish_corpus(
        folder,
        {
            "name": origin.name,
            "layout": LAYOUT_VERSION,
            "languages": list(origin.languages),
            "licence": origin.licence,
            "attribution": origin.attribution,
            "packages": {package.name: package_version(package, unpacked) for package, unpacked in origin.packages},
            "files": list(files),
            **notes,
        },
    )


def refinish_corpus(folder: Path, description: Mapping[str, Any]) -> Prepared:
    """Write the description of a corpus with the fingerprint of its files as they are now."""
    files = [folder / name for name in description["files"]]
    described = {**description, "fingerprint": fingerprint_files(files)}
    with write_atomically(folder / DESCRIPTION, "w") as handle:
        handle.write(json.dumps(described, ensure_ascii=False, indent=2) + "\n")
    return Prepared(folder, was_complete=False, description=described)


def fingerprint_files(files: Sequence[Path]) -> str:
    """SHA-256 over names and uncompressed content, so that it does not depend on the gzip library.

    Raises:
        DataError: a file is missing or damaged.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode())
        digest.update(read_manifest_bytes(path))
    return digest.hexdigest()


def is_written(path: Path, num_samples: int, sampling_rate: int) -> bool:
    """Whether a recording is there with the right length, so that an interrupted preparation goes on where it was."""
    if not path.is_file():
        return False
    try:
        # The whole file is decoded, because a header also stands in front of half a recording.
        return probe_audio(path).sampling_rate == sampling_rate and len(read_audio(path, sampling_rate)) == num_samples
    except AudioError:
        return False


def count_clips(clips: Sequence[Clip]) -> dict[str, float]:
    """Cuts, minutes and words of a split."""
    minutes = sum(clip.duration for clip in clips) / 60
    return {"cuts": len(clips), "minutes": round(minutes, 2), "words": sum(len(clip.text.split()) for clip in clips)}


def _to_cut(clip: Clip, folder: Path) -> MonoCut:
    source = AudioSource("file", [0], str(folder / clip.recording))
    recording = Recording(clip.clip_id, [source], clip.sampling_rate, clip.num_samples, clip.duration)
    supervision = SupervisionSegment(
        clip.clip_id, clip.clip_id, 0.0, clip.duration, 0, clip.text, clip.language, clip.speaker
    )
    said = [supervision] if clip.text else []
    return MonoCut(clip.clip_id, 0.0, clip.duration, 0, said, recording=recording, custom=dict(clip.custom) or None)


def _licence_text(origin: Origin) -> str:
    package, unpacked = origin.packages[0]
    parts = [
        f"{origin.name}\n{origin.attribution}\nLicence: {origin.licence}\n"
        "MODIFIED VERSION: sprachbund took the texts or recordings out of the package and arranged them as a corpus.\n"
    ]
    for notice in origin.notices:
        path = unpacked / "usr/share/doc" / package.name / notice
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except (OSError, EOFError) as error:
            raise CorpusError(
                "the package's notice cannot be read", where=path, given=error, mend=package.mend
            ) from None
        parts.append(f"==== {notice.removesuffix('.gz')} of the package {package.name}\n\n" + _decode_notice(content))
    return "\n".join(parts)


def _decode_notice(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").rstrip() + "\n"
