import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.data.text import index
from sprachbund.data.text.index import IndexedLines
from sprachbund.errors import DataError

CONTENTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"long words", b"\x00", b"\xff"]))


def lines_of(content: bytes) -> list[bytes]:
    """What the lines are, by Python's own means."""
    lines = content.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in (lines if lines[-1] else lines[:-1])]
    return [line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line for number, line in enumerate(lines)]


@given(content=CONTENTS.map(b"".join), is_zipped=st.booleans(), is_large=st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_line_is_reached_at_once(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, is_zipped: bool, is_large: bool
) -> None:
    folder = tmp_path_factory.mktemp("files")
    path = folder / ("text.txt.gz" if is_zipped else "text.txt")
    path.write_bytes(gzip.compress(content) if is_zipped else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPRACHBUND_CACHE", str(folder / "cache"))
        patch.setattr(index, "_PIECE", 7)
        if is_large:
            patch.setattr(index, "SMALL", 0)
            patch.setattr(index, "_HIGHEST_RATIO", 10_000)
        found = IndexedLines(path)
        expected = lines_of(content)
        assert [found[number] for number in reversed(range(len(found)))] == expected[::-1]
        assert found.num_bytes == len(content)
        assert (folder / "cache" / "text").exists() == (is_large and (is_zipped or content != b""))
        # A second time, from the cache.
        assert [IndexedLines(path)[number] for number in range(len(found))] == expected


def test_a_file_that_has_changed_is_indexed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index, "SMALL", 0)
    path = tmp_path / "text.txt"
    path.write_bytes(b"one\ntwo\n")
    assert [IndexedLines(path)[number] for number in (0, 1)] == [b"one", b"two"]
    path.write_bytes(b"\nonetwo\n")
    os.utime(path, (1, 1))
    assert [IndexedLines(path)[number] for number in (0, 1)] == [b"", b"onetwo"]


def test_what_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "missing.txt", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            IndexedLines(path)
    whole = gzip.compress(b"hello\n" * 99)
    for content in (whole[:-9], b"no gzip", whole[:30] + b"x" + whole[31:]):
        (tmp_path / "text.gz").write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            IndexedLines(tmp_path / "text.gz")
    monkeypatch.setattr(index, "SMALL", 0)
    monkeypatch.setattr(index, "_HIGHEST_RATIO", 2)
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(100_000)))
    with pytest.raises(DataError, match="unpacks to far more"):
        IndexedLines(tmp_path / "bomb.gz")
    assert list((tmp_path / "cache" / "text").iterdir()) == []


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_LONGEST_LINE", 5)
    (tmp_path / "text").write_bytes(b"four\nseventy\n")
    found = IndexedLines(tmp_path / "text")
    assert found[0] == b"four"
    with pytest.raises(DataError, match=r"too long in .*line 2 \(given: 8 bytes\)"):
        found[1]
    with pytest.raises(IndexError):
        found[2]
