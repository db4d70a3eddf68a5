import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sprachbund.data.corpora import deb
from sprachbund.data.corpora.deb import unpack_deb
from sprachbund.errors import CorpusError

WriteDeb = Callable[..., Path]
FILES = {"./usr/share/a.txt": b"alpha", "./usr/b.bin": bytes(range(256)) * 40}


@pytest.mark.parametrize("compression", ["xz", "gz", ""])
def test_files_are_unpacked(write_deb: WriteDeb, tmp_path: Path, compression: str) -> None:
    package = write_deb(tmp_path / "p.deb", FILES, compression)
    unpack_deb(package, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == {
        "a.txt": b"alpha",
        "b.bin": FILES["./usr/b.bin"],
    }


def test_only_wanted_files_are_unpacked(write_deb: WriteDeb, tmp_path: Path) -> None:
    asked = []

    def wants(path: str) -> bool:
        asked.append(path)
        return path.endswith(".txt")

    unpack_deb(write_deb(tmp_path / "p.deb", FILES), tmp_path / "out", wants)
    assert asked == ["usr/share/a.txt", "usr/b.bin"]
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["a.txt"]


@pytest.mark.parametrize("name", ["../escaped.txt", "./usr/../../escaped.txt"])
def test_paths_that_lead_outside_are_refused(write_deb: WriteDeb, tmp_path: Path, name: str) -> None:
    package = write_deb(tmp_path / "p.deb", {"./usr/fine.txt": b"", name: b"evil"})
    with pytest.raises(CorpusError, match="leads outside"):
        unpack_deb(package, tmp_path / "out" / "in")
    assert not list(tmp_path.rglob("escaped.txt"))


def test_links_are_left_out(write_deb: WriteDeb, tmp_path: Path) -> None:
    package = write_deb(tmp_path / "p.deb", FILES, links={"./usr/link": "/etc/passwd", "./usr/up": "../../.."})
    unpack_deb(package, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "usr").iterdir()) == ["b.bin", "share"]


def test_every_truncation_is_found(write_deb: WriteDeb, tmp_path: Path) -> None:
    content = write_deb(tmp_path / "p.deb", FILES, "gz").read_bytes()
    for keep in range(0, len(content) - 1, 7):
        (tmp_path / "cut.deb").write_bytes(content[:keep])
        with pytest.raises(CorpusError):
            unpack_deb(tmp_path / "cut.deb", tmp_path / "out")


@pytest.mark.parametrize("compression", ["xz", "gz"])
def test_damaged_archives_are_found(write_deb: WriteDeb, tmp_path: Path, compression: str) -> None:
    content = bytearray(write_deb(tmp_path / "p.deb", FILES, compression).read_bytes())
    for position in range(len(content) // 2, len(content) // 2 + 24, 3):
        damaged = content.copy()
        damaged[position : position + 8] = b"\xff" * 8
        (tmp_path / "bad.deb").write_bytes(damaged)
        with pytest.raises(CorpusError):
            unpack_deb(tmp_path / "bad.deb", tmp_path / "out")


def test_other_files_are_no_packages(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(CorpusError, match="not a Debian package"):
        unpack_deb(tmp_path / "x.deb", tmp_path / "out")


def test_zstandard_needs_dpkg(write_deb: WriteDeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = write_deb(tmp_path / "p.deb", FILES, "")
    package.write_bytes(package.read_bytes().replace(b"data.tar   ", b"data.tar.zst"[:11], 1).replace(b"zs ", b"zst"))
    monkeypatch.setattr(deb.shutil, "which", lambda _: None)
    with pytest.raises(CorpusError, match="dpkg-deb"):
        unpack_deb(package, tmp_path / "out")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb on this machine")
def test_zstandard_packages_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "in/DEBIAN").mkdir(parents=True)
    (tmp_path / "in/DEBIAN/control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: test\n"
    )
    (tmp_path / "in/usr").mkdir()
    (tmp_path / "in/usr/a.txt").write_text("alpha")
    built = subprocess.run(
        ["dpkg-deb", "-Zzstd", "--build", str(tmp_path / "in"), str(tmp_path / "p.deb")], capture_output=True
    )
    if built.returncode:
        pytest.skip("this dpkg-deb does not know Zstandard")
    unpack_deb(tmp_path / "p.deb", tmp_path / "out")
    assert (tmp_path / "out/usr/a.txt").read_text() == "alpha"
