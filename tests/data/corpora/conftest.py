"""Tiny corpora in the formats of the packages, and the real packages where the cache holds them."""

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import propack
import pytest

from sprachbund.data.corpora.packages import ASTERISK_EN, ASTERISK_EN_G722, STEEL_SKY, WORDNET, Package, cached_package
from sprachbund.data.corpora.sky_archive import SECTION_BASES, SkyArchive
from sprachbund.data.corpora.sky_texts import LANGUAGE_SLOTS, prefix_code, text_file_id

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
def real_sky() -> SkyArchive:
    return SkyArchive(_require(STEEL_SKY)[0] / "usr/share/scummvm/beneath-a-steel-sky")


@pytest.fixture(scope="session")
def real_asterisk() -> list[Path]:
    return _require(ASTERISK_EN, ASTERISK_EN_G722)


@pytest.fixture(scope="session")
def real_wordnet() -> Path:
    return _require(WORDNET)[0] / "usr/share/wordnet"


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
