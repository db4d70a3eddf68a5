import io
import itertools
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.data.storage.archives import read_member
from sprachbund.errors import DataError, SprachbundError

MEMBERS = {"a.flac": b"first", "a.json": b"{}", "deep/b.c.npy": b"x" * 5000, "d.nodata": b"", "empty.npy": b""}


def write(path: Path, members: dict[str, bytes], kind: int = tarfile.DEFAULT_FORMAT) -> Path:
    with tarfile.open(path, "w|", format=kind) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


TIMES = itertools.count(1)


def begin_again(path: Path) -> None:
    """Give a file a time of its own: examples come faster than the clock of the file system."""
    os.utime(path, ns=(0, next(TIMES)))


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_read_by_their_keys(tmp_path: Path, kind: int) -> None:
    path = write(tmp_path / "a.tar", MEMBERS, kind)
    assert read_member(path, "deep/b.c") == (b"x" * 5000, ".npy")
    assert read_member(path, "a") == (b"first", ".flac")
    assert read_member(path, "empty") == (b"", ".npy")
    for key in ("d", "b", "a.flac", ""):
        with pytest.raises(DataError, match="the archive has no such member"):
            read_member(path, key)


@settings(deadline=None, max_examples=30)
@given(
    members=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00/."), min_size=1, max_size=120),
        st.binary(max_size=1500),
        max_size=5,
    )
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, members: dict[str, bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "law.tar"
    write(path, {f"{name}.npy": content for name, content in members.items()})
    begin_again(path)
    for name, content in members.items():
        assert read_member(path, name) == (content, ".npy")


def test_an_archive_that_has_changed_is_indexed_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", {"a.npy": b"one"})
    assert read_member(path, "a")[0] == b"one"
    write(path, {"b.npy": b"two", "a.npy": b"three"})
    assert read_member(path, "a")[0] == b"three"


@pytest.mark.parametrize("end", [0, 100, 512, 700, 1024, 1500, 2048, 6656])
def test_an_archive_that_is_cut_short(tmp_path: Path, end: int) -> None:
    path = write(tmp_path / "a.tar", MEMBERS)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=r"(cut short|damaged).* in .*a.tar"):
        read_member(path, "a")


def test_other_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.npy"))
    with pytest.raises(DataError, match="damaged"):
        read_member(path, "a")
    with tarfile.open(tmp_path / "two.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a.npy"))
        archive.addfile(tarfile.TarInfo("a.flac"))
    with pytest.raises(DataError, match="holds a member twice"):
        read_member(tmp_path / "two.tar", "a")
    for missing in (tmp_path / "none.tar", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_member(missing, "a")


def test_links_are_no_members(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("a.npy")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DataError, match="no such member"):
        read_member(tmp_path / "a.tar", "a")


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_bytes_give_content_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.tar"
    # Long names take headers of their own.
    kind = data.draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    content = bytearray(write(path, {"ä" * 120 + ".npy": b"x", **MEMBERS}, kind).read_bytes()[:4096])
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(
            st.integers(0, 255) | st.sampled_from(b"0SLxgK")
        )
    path.write_bytes(data.draw(st.just(bytes(content)) | st.binary(max_size=1200)))
    try:
        begin_again(path)
        assert isinstance(read_member(path, "a")[0], bytes)
    except SprachbundError as error:
        assert str(path) in str(error)
