import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import serving_files
from serving_files import FileServer
from sprachbund.data.storage import mirror as module
from sprachbund.data.storage.mirror import is_address, mirror
from sprachbund.errors import DataError

CONTENT = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.tar").write_bytes(CONTENT)
    with serving_files.serve(tmp_path / "served") as state:
        yield state


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "deep" / "a.tar"


def left_over(copy: Path) -> set[str]:
    return {path.name for path in copy.parent.iterdir()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("http://a", True),
        ("HTTPS://a/b", True),
        ("ftp://a", False),
        ("http:/a", False),
        ("file:///a", False),
        ("a", False),
    ],
)
def test_addresses(name: str, expected: bool) -> None:
    assert is_address(name) is expected
    assert is_address(Path(name)) is False  # a path has lost a slash


def test_a_file_is_copied_once(server: FileServer, copy: Path) -> None:
    assert mirror(f"{server.address}/a.tar", copy) == copy
    assert copy.read_bytes() == CONTENT
    assert left_over(copy) == {"a.tar", ".a.tar.lock"}
    assert mirror(f"{server.address}/a.tar", copy) == copy
    assert server.times("a.tar") == 1


def test_what_is_not_there_is_none(server: FileServer, copy: Path) -> None:
    assert mirror(f"{server.address}/b.tar", copy) is None
    assert not copy.exists()
    assert server.times("b.tar") == 1


def test_a_broken_copy_is_gone_on_with(server: FileServer, copy: Path) -> None:
    server.breaks = [100_000, 50_000]
    assert mirror(f"{server.address}/a.tar", copy) == copy
    assert copy.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_a_server_that_dies_midway(server: FileServer, copy: Path) -> None:
    server.breaks = [1000] * module.ATTEMPTS
    with pytest.raises(DataError, match=r"does not give a file in http.*ended after 4000 of 512000 bytes.* goes on"):
        mirror(f"{server.address}/a.tar", copy)
    assert not copy.exists()
    # The next command goes on where this one was.
    server.asked.clear()
    assert mirror(f"{server.address}/a.tar", copy) == copy
    assert copy.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == ["bytes=4000-"]


@pytest.mark.parametrize("version", [None, 'W/"weak"'])
def test_versions_that_cannot_be_told_apart_are_not_mixed(server: FileServer, copy: Path, version: str | None) -> None:
    server.version, server.breaks = version, [100_000]
    mirror(f"{server.address}/a.tar", copy)
    assert copy.read_bytes() == CONTENT
    assert [asked for _, asked in server.asked] == [None, None]


def test_a_file_that_changes_between_is_taken_anew(
    server: FileServer, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ATTEMPTS", 1)
    server.breaks = [100_000]
    with pytest.raises(DataError):
        mirror(f"{server.address}/a.tar", copy)
    other = CONTENT[::-1]
    (server.folder / "a.tar").write_bytes(other)
    server.version = '"two"'
    mirror(f"{server.address}/a.tar", copy)
    assert copy.read_bytes() == other


def test_a_file_that_became_shorter_is_taken_anew(server: FileServer, copy: Path) -> None:
    server.breaks = [100_000] * module.ATTEMPTS
    with pytest.raises(DataError):
        mirror(f"{server.address}/a.tar", copy)
    (server.folder / "a.tar").write_bytes(b"short")
    server.breaks = []
    mirror(f"{server.address}/a.tar", copy)
    assert copy.read_bytes() == b"short"


def test_servers_without_ranges_send_all_of_it(server: FileServer, copy: Path) -> None:
    server.has_ranges, server.breaks = False, [100_000]
    mirror(f"{server.address}/a.tar", copy)
    assert copy.read_bytes() == CONTENT


def test_errors_that_pass_and_errors_that_stay(server: FileServer, copy: Path) -> None:
    server.codes["a.tar"] = [503, 429]
    assert mirror(f"{server.address}/a.tar", copy) == copy
    copy.unlink()
    server.asked.clear()
    server.codes["a.tar"] = [403]
    with pytest.raises(DataError, match=r"does not give a file .*\(given: 403 Forbidden\)"):
        mirror(f"{server.address}/a.tar", copy)
    assert server.times("a.tar") == 1
    server.codes["a.tar"] = [500] * module.ATTEMPTS
    with pytest.raises(DataError, match="500 Internal Server Error"):
        mirror(f"{server.address}/a.tar", copy)


def test_no_server(tmp_path: Path) -> None:
    with serving_files.serve(tmp_path) as state:
        address = state.address
    with pytest.raises(DataError, match="Connection refused"):
        mirror(f"{address}/a.tar", tmp_path / "a.tar")


def test_a_cache_that_cannot_be_written(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match=r"cannot be mirrored .*File exists.* SPRACHBUND_CACHE"):
        mirror(f"{server.address}/a.tar", tmp_path / "file" / "a.tar")


def test_many_at_once_ask_once(server: FileServer, copy: Path) -> None:
    results: list[Path | None] = []
    address = f"{server.address}/a.tar"
    threads = [threading.Thread(target=lambda: results.append(mirror(address, copy))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [copy] * 6
    assert server.times("a.tar") == 1
    assert copy.read_bytes() == CONTENT
