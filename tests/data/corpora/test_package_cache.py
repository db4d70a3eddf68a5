import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sprachbund.data.corpora import package_cache
from sprachbund.data.corpora.package_cache import (
    Package,
    cache_folder,
    cached_package,
    fetch_packages,
    package_version,
)
from sprachbund.errors import CorpusError

PACKAGE = Package("some-sounds-en", (("usr/share/sounds.txt", 5),))
FILES = {"./usr/share/sounds.txt": b"alpha"}
WriteDeb = Callable[..., Path]


@pytest.fixture
def debs(tmp_path: Path, write_deb: WriteDeb) -> Path:
    folder = tmp_path / "debs"
    folder.mkdir()
    write_deb(folder / "some-sounds-en-g722_1.0-1_all.deb", {"./usr/other.txt": b""})
    write_deb(folder / "some-sounds-en_1%3a1.0-1_all.deb", FILES)
    return folder


def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program apt-get in front of the PATH."""
    tool = tmp_path / "bin" / "apt-get"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")


def test_the_cache_lies_where_the_environment_says(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("SPRACHBUND_CACHE")
    assert cache_folder() == Path.home() / ".cache/sprachbund/packages"


def test_a_folder_of_packages_is_unpacked_into_the_cache(cache: Path, debs: Path) -> None:
    assert cached_package(PACKAGE) is None
    assert fetch_packages([PACKAGE], debs) == {PACKAGE.name: cache / PACKAGE.name}
    assert (cache / PACKAGE.name / "usr/share/sounds.txt").read_bytes() == b"alpha"
    assert cached_package(PACKAGE) == cache / PACKAGE.name
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [PACKAGE.name]


def test_a_package_file_replaces_what_the_cache_holds(cache: Path, debs: Path, write_deb: WriteDeb) -> None:
    fetch_packages([PACKAGE], debs)
    newer = write_deb(debs.parent / "some-sounds-en_2_all.deb", {"./usr/share/sounds.txt": b"gamma"})
    folder = fetch_packages([PACKAGE], newer)[PACKAGE.name]
    assert (folder / "usr/share/sounds.txt").read_bytes() == b"gamma"


def test_unpacked_content_is_used_where_it_lies(cache: Path, tmp_path: Path) -> None:
    for root in (tmp_path / "plain", tmp_path / "nested" / PACKAGE.name):
        (root / "usr/share").mkdir(parents=True)
        (root / "usr/share/sounds.txt").write_bytes(b"alpha")
    assert fetch_packages([PACKAGE], tmp_path / "plain")[PACKAGE.name] == tmp_path / "plain"
    assert fetch_packages([PACKAGE], tmp_path / "nested")[PACKAGE.name] == tmp_path / "nested" / PACKAGE.name
    assert not cache.exists()


def test_files_of_other_sizes_are_refused_and_nothing_stays(cache: Path, tmp_path: Path, write_deb: WriteDeb) -> None:
    for files in ({"./usr/share/sounds.txt": b"alph"}, {"./usr/share/other.txt": b"alpha"}):
        deb = write_deb(tmp_path / "some-sounds-en_1_all.deb", files)
        with pytest.raises(CorpusError, match=r"sounds\.txt"):
            fetch_packages([PACKAGE], deb)
        assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_a_damaged_cache_is_not_taken(cache: Path, debs: Path) -> None:
    folder = fetch_packages([PACKAGE], debs)[PACKAGE.name]
    (folder / "usr/share/sounds.txt").write_bytes(b"al")
    assert cached_package(PACKAGE) is None
    fetch_packages([PACKAGE], debs)
    assert cached_package(PACKAGE) is not None


def test_sources_that_lack_the_package_say_what_to_do(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"does not exist.*nowhere"):
        fetch_packages([PACKAGE], tmp_path / "nowhere")
    with pytest.raises(CorpusError, match=r"some-sounds-en.*packages\.debian\.org.*--from"):
        fetch_packages([PACKAGE], tmp_path)


def test_without_apt_the_way_by_hand_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_cache.shutil, "which", lambda _: None)
    with pytest.raises(CorpusError, match=r"without apt-get.*--from"):
        fetch_packages([PACKAGE])


def test_a_failing_apt_is_told_and_leaves_nothing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_apt(tmp_path, monkeypatch, "echo 'E: no route' >&2; exit 100")
    with pytest.raises(CorpusError, match=r"E: no route.*--from"):
        fetch_packages([PACKAGE])
    assert [path for path in cache.iterdir() if path.is_dir()] == []


def test_apt_downloads_once(cache: Path, debs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deb = debs / "some-sounds-en_1%3a1.0-1_all.deb"
    fake_apt(
        tmp_path, monkeypatch, f'test "$1 $2" = "download {PACKAGE.name}" && cp {deb} . && echo x >> {tmp_path}/log'
    )
    for _ in range(2):
        assert fetch_packages([PACKAGE]) == {PACKAGE.name: cache / PACKAGE.name}
    assert (tmp_path / "log").read_text() == "x\n"
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [PACKAGE.name]


def test_a_cache_that_cannot_be_made_is_told(tmp_path: Path, debs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "file"))
    with pytest.raises(CorpusError, match="SPRACHBUND_CACHE"):
        fetch_packages([PACKAGE], debs)


def test_the_version_comes_from_the_changelog(
    tmp_path: Path, package_notices: Callable[[str], dict[str, bytes]], write_files: Callable[..., None]
) -> None:
    assert package_version(PACKAGE, tmp_path) == "unknown"
    write_files(tmp_path, package_notices(PACKAGE.name))
    assert package_version(PACKAGE, tmp_path) == "1.2-3"


def test_only_what_is_wanted_is_unpacked(cache: Path, tmp_path: Path, write_deb: WriteDeb) -> None:
    files = {
        "./usr/share/sounds.txt": b"alpha",
        "./usr/share/deep/down/a.ogg": b"1",
        "./usr/share/deep/a.png": b"2",
        "./usr/share/doc/some-sounds-en/copyright": b"3",
        "./usr/share/doc/some-sounds-en/images/a.jpg": b"4",
    }
    deb = write_deb(tmp_path / "some-sounds-en_1_all.deb", files)
    package = replace(PACKAGE, wanted=("usr/share/sounds.txt", "usr/share/*.ogg"))
    folder = fetch_packages([package], deb)[PACKAGE.name]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file()}
    assert found == {
        "usr/share/sounds.txt",
        "usr/share/deep/down/a.ogg",
        "usr/share/doc/some-sounds-en/copyright",
    }


def test_missing_files_are_counted(cache: Path, tmp_path: Path, write_deb: WriteDeb) -> None:
    package = replace(PACKAGE, counts=(("usr/share", "*.ogg", 2),))
    files = FILES | {"./usr/share/a.ogg": b"1", "./usr/share/b/c.ogg": b"2"}
    folder = fetch_packages([package], write_deb(tmp_path / "some-sounds-en_1_all.deb", files))[PACKAGE.name]
    (folder / "usr/share/b/c.ogg").unlink()
    assert cached_package(package) is None
    with pytest.raises(CorpusError, match=r"holds 1 files \*\.ogg instead of 2"):
        fetch_packages([package], folder)


def test_an_equal_file_is_not_unpacked_again(cache: Path, debs: Path, tmp_path: Path) -> None:
    deb = debs / "some-sounds-en_1%3a1.0-1_all.deb"
    folder = fetch_packages([PACKAGE], deb)[PACKAGE.name]
    before = (folder / "usr/share/sounds.txt").stat().st_ino
    fetch_packages([PACKAGE], deb)
    assert (folder / "usr/share/sounds.txt").stat().st_ino == before
    (folder / "usr/share/sounds.txt").write_bytes(b"al")
    fetch_packages([PACKAGE], deb)
    assert (folder / "usr/share/sounds.txt").read_bytes() == b"alpha"


FETCH = """
import sys
from pathlib import Path
from sprachbund.data.corpora.package_cache import Package, fetch_packages
package = Package("some-sounds-en", (("usr/share/sounds.txt", 5),))
for _ in range(50):
    folder = fetch_packages([package], Path(sys.argv[1]))["some-sounds-en"]
    assert (folder / "usr/share/sounds.txt").read_bytes() == b"alpha"
"""


@pytest.mark.parametrize("is_stale", [False, True])
def test_processes_fetch_the_same_at_the_same_time(cache: Path, debs: Path, is_stale: bool) -> None:
    deb = debs / "some-sounds-en_1%3a1.0-1_all.deb"
    if is_stale:
        (fetch_packages([PACKAGE], deb)[PACKAGE.name] / "usr/share/sounds.txt").write_bytes(b"al")
    running = [subprocess.Popen([sys.executable, "-c", FETCH, str(deb)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert [path.name for path in cache.glob("[!.]*")] == [PACKAGE.name]
    assert [path.name for path in cache.glob(".some*")] == []


def test_a_file_that_cannot_be_read_is_told(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "some-sounds-en_1_all.deb").mkdir()
    with pytest.raises(CorpusError, match="cannot be read"):
        fetch_packages([PACKAGE], tmp_path)
