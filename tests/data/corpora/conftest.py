"""Tiny corpora in the formats of the packages, and the real packages where the cache holds them."""

import gzip
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import propack
import pytest

from sprachbund.data.corpora.layout import Clip, Origin, Prepared, finish_speech
from sprachbund.data.corpora.package_cache import Package, cached_package
from sprachbund.data.corpora.packages import AMAZON_QUEEN, STEEL_SKY, WORDNET
from sprachbund.data.corpora.sky_archive import SECTION_BASES, SkyArchive
from sprachbund.data.corpora.sky_texts import LANGUAGE_SLOTS, prefix_code, text_file_id
from sprachbund.data.corpora.steel_sky import SkyLine, read_lines

Files = Mapping[str, bytes]


@pytest.fixture(scope="session")
def facts() -> Callable[[str], Any]:
    """Known answers of the corpora, by the name of their file."""
    return lambda name: json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))


def _require(*packages: Package) -> list[Path]:
    folders = [cached_package(package) for package in packages]
    if None in folders:
        pytest.skip("the packages are not in the cache; run `make corpora` first")
    return [folder for folder in folders if folder is not None]


@pytest.fixture(scope="session")
def real_packages() -> Callable[..., list[Path]]:
    """The folders of unpacked packages; a test that needs others than there are is skipped."""
    return _require


@pytest.fixture(scope="session")
def real_sky() -> SkyArchive:
    return SkyArchive(_require(STEEL_SKY)[0] / "usr/share/scummvm/beneath-a-steel-sky")


@pytest.fixture(scope="session")
def real_sky_lines(real_sky: SkyArchive) -> list[SkyLine]:
    return read_lines(real_sky)


@pytest.fixture(scope="session")
def real_queen_path() -> Path:
    return _require(AMAZON_QUEEN)[0] / "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"


@pytest.fixture(scope="session")
def real_wordnet() -> Path:
    return _require(WORDNET)[0] / "usr/share/wordnet"


@pytest.fixture
def finish_tiny(tmp_path: Path, package_notices: Callable[[str], dict[str, bytes]]) -> Callable[..., Prepared]:
    """Write a corpus of texts without recordings below a folder: (folder, split=[texts], ...)."""
    for name, content in package_notices("p").items():
        (tmp_path / "notices" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "notices" / name).write_bytes(content)
    origin = Origin("tiny", ("en",), "free", "me", ((Package("p", ()), tmp_path / "notices"),), ("copyright",))

    def finish(folder: Path, **splits: Sequence[str]) -> Prepared:
        clips = {
            split: [Clip(f"{split}-{k}", f"{k}.flac", 16000, 1600, text, "en") for k, text in enumerate(texts)]
            for split, texts in splits.items()
        }
        return finish_speech(folder, origin, clips, {})

    return finish


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package cache."""
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "packages"


def _add_member(archive: io.BytesIO, name: str, content: bytes) -> None:
    archive.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}".encode() + b"`\n")
    archive.write(content + b"\n" * (len(content) % 2))


@pytest.fixture(scope="session")
def write_deb() -> Callable[..., Path]:
    def write(path: Path, files: Files, compression: str = "xz", links: Mapping[str, str] | None = None) -> Path:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            for name, target in (links or {}).items():
                member = tarfile.TarInfo(name)
                member.type, member.linkname = tarfile.SYMTYPE, target
                archive.addfile(member)
        deb = io.BytesIO()
        deb.write(b"!<arch>\n")
        _add_member(deb, "debian-binary", b"2.0\n")
        _add_member(deb, "control.tar.xz", b"odd")
        _add_member(deb, "data.tar" + (f".{compression}" if compression else ""), data.getvalue())
        path.write_bytes(deb.getvalue())
        return path

    return write


def _encode(text: bytes) -> str:
    words = {value: bits for bits, value in prefix_code().items()}
    return "".join(words[value] for value in text + b"\0")


@pytest.fixture(scope="session")
def build_text_file() -> Callable[[Sequence[bytes]], bytes]:
    """The inverse of the reader: texts to the bytes of a text file."""

    def build(texts: Sequence[bytes]) -> bytes:
        bits, lengths, sizes = "", [], [0] * (len(texts) // 32 + 1)
        for number, text in enumerate(texts):
            code = _encode(text)
            units = (len(code) + 1) // 2
            length = units if units < 128 else 0x80 | (units + 7) // 8
            stored = units if units < 128 else (units + 7) // 8 * 8
            bits += code.ljust(2 * stored, "0")
            lengths.append(length)
            sizes[number // 32] += stored
        start = 4 + 2 * len(sizes)
        packed = int(bits.ljust(-(-len(bits) // 8) * 8, "0") or "0", 2).to_bytes(-(-len(bits) // 8), "big")
        tables = struct.pack(f"<HH{len(sizes)}H", start, start + len(lengths), *sizes) + bytes(lengths)
        return tables + packed

    return build


def _pack_voice(samples: bytes) -> bytes:
    total = len(samples) + 22
    header = [0] * 11
    header[0], header[6] = 0x80 | total >> 8 & 0xFF00, total & 0xFFFF
    return struct.pack("<11H", *header) + propack.pack(samples)


@pytest.fixture(scope="session")
def build_sky(build_text_file: Callable[[Sequence[bytes]], bytes]) -> Callable[..., Files]:
    """Index and archive of a tiny game: (section, index) -> samples, and (slot, section) -> texts."""

    def build(
        voices: Mapping[tuple[int, int], bytes], texts: Mapping[tuple[str, int], Sequence[bytes]]
    ) -> dict[str, bytes]:
        stored: dict[int, tuple[bytes, int]] = {}
        for (section, index), samples in voices.items():
            stored[50_000 + SECTION_BASES[section] + index] = (_pack_voice(samples), 0)
        for slot, language in enumerate(LANGUAGE_SLOTS):
            for section in range(8):
                content = build_text_file(texts.get((language, section), []))
                stored[text_file_id(slot, section)] = (content, 1 << 23)
        index, data = struct.pack("<I", len(stored)), b""
        for number, (file_id, (content, flags)) in enumerate(stored.items()):
            if number % 2:  # every other position in blocks of 16 bytes
                data += bytes(-len(data) % 16)
            position = len(data) // 16 | 1 << 23 if number % 2 else len(data)
            index += struct.pack("<H", file_id) + position.to_bytes(3, "little")
            index += (len(content) | flags).to_bytes(3, "little")
            data += content
        return {"sky.dnr": index, "sky.dsk": data}

    return build


@pytest.fixture(scope="session")
def build_queen() -> Callable[[Files], bytes]:
    """A container of resources by name."""

    def build(resources: Files) -> bytes:
        offset = 15 + 21 * len(resources)
        table, data = b"", b""
        for name, content in resources.items():
            table += struct.pack(">12sBII", name.encode(), 1, offset + len(data), len(content))
            data += content
        return struct.pack(">4s8sBH", b"QTBL", b"CEM10", 1, len(resources)) + table + data

    return build


def _queen_string(text: str, place: int, alignment: int) -> bytes:
    content = bytes([len(text)]) + text.encode()
    return content + bytes(-(place + len(content)) % alignment if text else 0)


@pytest.fixture(scope="session")
def build_dialogue() -> Callable[..., bytes]:
    """A dialogue: key, the lists of Joe and of the other person, and the two closing strings."""

    def build(
        key: int, joes: Sequence[tuple[int, str]], others: Sequence[tuple[int, str]], closing: tuple[str, str]
    ) -> bytes:
        levels = 2
        data = bytes(32 + 96 * levels)
        starts = []
        for entries in (joes, others):
            for number, text in entries:
                data += struct.pack(">HH", 0, number)
                data += _queen_string(text, len(data), 4)
            starts.append(len(data))
        data += b"CUTAWAY!"
        last = len(data)
        for text in closing:
            data += _queen_string(text, len(data), 2)
        header = struct.pack(">hhhhh12xHHH4x", -levels, 0, key, len(joes), len(others), *starts, last)
        return b"AmBk" + bytes(16) + header + data[32:]

    return build


@pytest.fixture(scope="session")
def build_cutaway() -> Callable[..., bytes]:
    """A cutaway of sentences, one an object."""

    def build(sentences: Sequence[str], objects: int | None = None) -> bytes:
        data = struct.pack(">hhhhH", 0, -(len(sentences) if objects is None else objects), 0, 0, 12) + bytes(2)
        for text in ("file.BAM", *sentences):
            data += _queen_string(text, len(data), 2)
        return b"AmBk" + bytes(16) + data

    return build


@pytest.fixture(scope="session")
def write_module() -> Callable[..., None]:
    """The files of a testament: entries in blocks of some each."""

    def write(path: Path, entries: Sequence[str], a_block: int = 3) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks, packed, verses = b"", b"", b""
        for number, start in enumerate(range(0, len(entries), a_block)):
            parts = [entry.encode() for entry in entries[start : start + a_block]]
            content = zlib.compress(b"".join(parts))
            blocks += struct.pack("<III", len(packed), len(content), sum(map(len, parts)))
            packed += content
            for place, part in enumerate(parts):
                verses += struct.pack("<IIH", number, sum(map(len, parts[:place])), len(part))
        for suffix, content in ((".bzs", blocks), (".bzz", packed), (".bzv", verses)):
            path.with_suffix(suffix).write_bytes(content)

    return write


@pytest.fixture(scope="session")
def package_notices() -> Callable[[str], dict[str, bytes]]:
    def notices(name: str) -> dict[str, bytes]:
        folder = f"usr/share/doc/{name}"
        return {
            f"{folder}/copyright": "© the makers\n".encode(),
            f"{folder}/readme.txt.gz": gzip.compress(b"read me\r\n"),
            f"{folder}/changelog.Debian.gz": gzip.compress(f"{name} (1.2-3) unstable\n".encode()),
        }

    return notices


@pytest.fixture(scope="session")
def write_files() -> Callable[[Path, Files], None]:
    def write(folder: Path, files: Files) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    return write
