"""Flight of the Amazon Queen's data file ``queen.1c``: a table of resources, and bare MPEG streams among them."""

import io
import struct
from dataclasses import dataclass
from pathlib import Path

import soundfile

from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float

SAMPLING_RATE = 11025
BYTES_A_SECOND = 2000  # of speech: 16 kbit/s, constant

_HEADER = struct.Struct(">4s8sBH")
_ENTRY = struct.Struct(">12sBII")
_MAGIC = b"QTBL"
_MP3 = 1
_FRAME_SAMPLES = 576
# Frame headers of MPEG-2.5 layer III, 16 kbit/s, 11 025 Hz, one channel; the padding bit is masked out.
_SYNC, _SYNC_MASK, _PADDING = 0xFFE320C4, 0xFFFFFDFF, 0x200
_FRAME_BYTES = 72 * 16_000 // SAMPLING_RATE
_MEND = "The file is damaged; fetch the package again."


@dataclass(frozen=True)
class Resource:
    """A part of the file."""

    offset: int
    size: int


class QueenContainer:
    """The resources of ``queen.1c`` by name, all numbers big-endian.

    Raises:
        CorpusError: the file is missing, is none of this kind, is cut short, or its table contradicts itself.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise CorpusError("the data file is missing", where=path, mend=_MEND)
        self.resources = _read_table(path)

    def names(self, suffix: str) -> list[str]:
        """Names that end in `suffix`, sorted."""
        return sorted(name for name in self.resources if name.endswith(suffix))

    def read(self, name: str) -> bytes:
        """The bytes of a resource.

        Raises:
            CorpusError: there is none of that name, or the file ends before it does.
        """
        if name not in self.resources:
            raise CorpusError("the data file lacks a part", where=self.path, given=name, mend=_MEND)
        resource = self.resources[name]
        with self.path.open("rb") as handle:
            handle.seek(resource.offset)
            content = handle.read(resource.size)
        if len(content) < resource.size:
            raise CorpusError("the data file is cut short", where=self.path, given=name, mend=_MEND)
        return content


def _read_table(path: Path) -> dict[str, Resource]:
    with path.open("rb") as handle:
        size = handle.seek(0, 2)
        handle.seek(0)
        header = handle.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(_MAGIC):
            raise CorpusError("the data file is of another kind", where=path, given=header[:4], mend=_MEND)
        _, _, compression, count = _HEADER.unpack(header)
        if compression != _MP3:
            raise CorpusError("the speech is not compressed as MP3", where=path, given=compression, mend=_MEND)
        table = handle.read(_ENTRY.size * count)
    if len(table) < _ENTRY.size * count:
        raise CorpusError("the table of the data file is cut short", where=path, mend=_MEND)
    resources: dict[str, Resource] = {}
    for raw, _, offset, length in _ENTRY.iter_unpack(table):
        name = raw.rstrip(b"\0").decode("ascii", "replace")
        if offset < _HEADER.size + len(table) or offset + length > size or name in resources:
            raise CorpusError("the table of the data file is damaged", where=path, given=name, mend=_MEND)
        resources[name] = Resource(offset, length)
    return resources


def count_samples(stream: bytes, *, where: str) -> int:
    """The samples that a bare MPEG stream of speech decodes to, counted by its frame headers.

    Raises:
        CorpusError: a frame is of another kind, or the stream does not end where a frame does.
    """
    position = frames = 0
    while position < len(stream):
        header = int.from_bytes(stream[position : position + 4], "big")
        if header & _SYNC_MASK != _SYNC:
            raise CorpusError("a recording is damaged", where=where, given=f"byte {position}", mend=_MEND)
        position += _FRAME_BYTES + bool(header & _PADDING)
        frames += 1
    if position != len(stream) or frames == 0:
        raise CorpusError("a recording is cut short", where=where, given=f"{len(stream)} bytes", mend=_MEND)
    return frames * _FRAME_SAMPLES


def decode_stream(stream: bytes, *, where: str) -> Float[Array, " sample"]:
    """The samples of a bare MPEG stream of speech, as many as its frames hold.

    Raises:
        CorpusError: the stream is damaged or cut short.
    """
    expected = count_samples(stream, where=where)
    try:
        # Not by `read_audio`, which takes libsndfile's guess of the length, some frames too many, for a promise.
        waveform: Float[Array, " sample"] = soundfile.read(io.BytesIO(stream), dtype="float32")[0]
    except soundfile.SoundFileError as error:
        raise CorpusError("a recording cannot be decoded", where=where, given=error, mend=_MEND) from None
    if waveform.shape != (expected,):
        given = f"{waveform.shape} instead of {expected} samples"
        raise CorpusError("a recording decodes to another length", where=where, given=given, mend=_MEND)
    return waveform
