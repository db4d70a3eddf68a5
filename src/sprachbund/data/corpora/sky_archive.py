"""Beneath a Steel Sky's data files: the index ``sky.dnr``, the archive ``sky.dsk``, and RNC ProPack compression."""

import struct
from dataclasses import dataclass
from pathlib import Path

from sprachbund.errors import CorpusError

SAMPLING_RATE = 11025
SILENCE = 128  # of the unsigned 8-bit samples

# Speech has the file ids 50000 + base of its section + index of its text.
SECTION_BASES = (0, 600, 1100, 2430, 3380, 4530, 5080, 5230)
_SPEECH_START, _SPEECH_END = 50_000, 55_330

_HEADER = struct.Struct("<11H")
_RNC = struct.Struct(">4sIIHHBB")
_RNC_MAGIC = b"RNC\x01"
_MEND = "The file is damaged; fetch the package again."


@dataclass(frozen=True)
class Entry:
    """A file of the archive."""

    file_id: int
    offset: int
    size: int  # stored bytes
    has_header: bool
    is_compressed: bool


@dataclass(frozen=True)
class Voice:
    """A recording, by the place of its text."""

    section: int
    index: int
    num_samples: int


class SkyArchive:
    """The archive in `folder`: its entries by file id, and their content."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sky.dsk"
        self.entries = read_index(folder / "sky.dnr")
        if not self.path.is_file():
            raise CorpusError("the archive is missing", where=self.path, mend=_MEND)

    def read(self, file_id: int) -> bytes:
        """The stored bytes of a file.

        Raises:
            CorpusError: the archive has no such file, or ends before it does.
        """
        entry = self._entry(file_id)
        return self._read_bytes(entry, entry.size)

    def voices(self) -> list[Voice]:
        """All recordings with a text, in the order of sections and indices, without decompressing them."""
        ids = sorted(file_id for file_id in self.entries if _SPEECH_START <= file_id < _SPEECH_END)
        return [Voice(*_place(file_id), self._voice_length(file_id)) for file_id in ids]

    def read_voice(self, section: int, index: int) -> bytes:
        """Unsigned 8-bit samples of a recording, one channel, 11 025 Hz, both checksums verified.

        Raises:
            CorpusError: the recording is missing or damaged.
        """
        file_id = _SPEECH_START + SECTION_BASES[section] + index
        samples = unpack_rnc(self.read(file_id)[_HEADER.size :], where=f"{self.path}, file {file_id}")
        if len(samples) != self._voice_length(file_id):
            raise CorpusError(
                "a recording has another length than its header says", where=f"{self.path}, file {file_id}", mend=_MEND
            )
        return samples

    def _entry(self, file_id: int) -> Entry:
        if file_id not in self.entries:
            raise CorpusError("the archive lacks a file", where=self.path, given=f"file {file_id}", mend=_MEND)
        return self.entries[file_id]

    def _voice_length(self, file_id: int) -> int:
        """Samples of a recording: the header's total size without the header itself."""
        entry = self._entry(file_id)
        if not (entry.has_header and entry.is_compressed and entry.size > _HEADER.size):
            raise CorpusError("a file is no recording", where=self.path, given=f"file {file_id}", mend=_MEND)
        words = _HEADER.unpack(self._read_bytes(entry, _HEADER.size))
        total_size: int = (words[0] & 0xFF00) << 8 | words[6]
        return total_size - _HEADER.size

    def _read_bytes(self, entry: Entry, size: int) -> bytes:
        with self.path.open("rb") as handle:
            handle.seek(entry.offset)
            content = handle.read(size)
        if len(content) < size:
            raise CorpusError("the archive is cut short", where=self.path, given=f"file {entry.file_id}", mend=_MEND)
        return content


def read_index(path: Path) -> dict[int, Entry]:
    """The entries of ``sky.dnr``: a count, then 8 bytes each (id, position, size and flags).

    Raises:
        CorpusError: the index is missing, has another length than its count says, or holds an id twice.
    """
    if not path.is_file():
        raise CorpusError("the index is missing", where=path, mend=_MEND)
    content = path.read_bytes()
    count = int.from_bytes(content[:4], "little")
    if len(content) < 4 or len(content) != 4 + 8 * count:
        raise CorpusError("the index has a wrong length", where=path, given=f"{len(content)} bytes", mend=_MEND)
    entries = [_parse_entry(content[start : start + 8]) for start in range(4, len(content), 8)]
    by_id = {entry.file_id: entry for entry in entries}
    if len(by_id) != count:
        raise CorpusError("the index holds a file twice", where=path, mend=_MEND)
    return by_id


def _parse_entry(record: bytes) -> Entry:
    position = int.from_bytes(record[2:5], "little")
    size = int.from_bytes(record[5:8], "little")
    return Entry(
        file_id=int.from_bytes(record[:2], "little"),
        # Bit 23 tells that the position counts blocks of 16 bytes.
        offset=(position & 0x7FFFFF) * (16 if position >> 23 else 1),
        size=size & 0x3FFFFF,
        has_header=not size >> 22 & 1,
        is_compressed=not size >> 23 & 1,
    )


def _place(file_id: int) -> tuple[int, int]:
    """Section and index of a recording."""
    number = file_id - _SPEECH_START
    section = max(section for section, base in enumerate(SECTION_BASES) if base <= number)
    return section, number - SECTION_BASES[section]


def unpack_rnc(packed: bytes, *, where: str) -> bytes:
    """Decompress an RNC ProPack stream (method 1), and verify its lengths and both its checksums.

    Args:
        packed: from the letters RNC on; bytes after the stream are ignored.
        where: the place that an error names.

    Raises:
        CorpusError: the stream is truncated or damaged, or the package ``propack`` is missing.
    """
    try:
        import propack
    except ImportError:
        raise CorpusError(
            "the speech cannot be decompressed, because the package propack is missing",
            where=where,
            mend="Install it with: pip install 'sprachbund[corpora]'",
        ) from None
    if len(packed) < _RNC.size or packed[:4] != _RNC_MAGIC:
        raise CorpusError("no RNC stream where one should be", where=where, given=packed[:4], mend=_MEND)
    _, unpacked_size, packed_size, unpacked_crc, packed_crc, _, _ = _RNC.unpack_from(packed)
    body = packed[_RNC.size : _RNC.size + packed_size]
    if len(body) != packed_size or crc16(body) != packed_crc:
        raise CorpusError("a compressed file is damaged or cut short", where=where, mend=_MEND)
    try:
        unpacked: bytes = propack.unpack(packed[: _RNC.size + packed_size])
    except (ValueError, IndexError) as error:
        raise CorpusError("a compressed file cannot be unpacked", where=where, given=error, mend=_MEND) from None
    if len(unpacked) != unpacked_size or crc16(unpacked) != unpacked_crc:
        raise CorpusError("a compressed file unpacks to wrong content", where=where, mend=_MEND)
    return unpacked


def _crc_table() -> tuple[int, ...]:
    """The checksum of every 16-bit state after two zero bytes: reflected polynomial 0xA001."""
    table = list(range(1 << 16))
    for _ in range(16):
        table = [state >> 1 ^ (0xA001 if state & 1 else 0) for state in table]
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(content: bytes) -> int:
    """The CRC-16 of RNC files: reflected polynomial 0xA001, start value 0, no final inversion."""
    # Leading zeros do not change a checksum that starts at 0, so an odd length is made even there.
    words = struct.unpack(f"<{(len(content) + 1) // 2}H", content if len(content) % 2 == 0 else b"\0" + content)
    state = 0
    for word in words:
        state = _CRC_TABLE[state ^ word]
    return state
