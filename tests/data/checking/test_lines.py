import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprachbund.data.checking import lines as module
from sprachbund.data.checking.lines import Line, read_lines
from sprachbund.errors import DataError


@pytest.mark.parametrize("suffix", ["", ".gz"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(parts=st.lists(st.binary(max_size=20).map(lambda part: part.replace(b"\n", b"").rstrip(b"\r")), max_size=8))
def test_lines_are_those_between_line_ends(tmp_path: Path, suffix: str, parts: list[bytes]):
    content = b"".join(part + b"\n" for part in parts)
    path = tmp_path / f"lines{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    assert list(read_lines(path)) == [Line(number, part) for number, part in enumerate(parts, 1)]


def test_the_last_line_may_lack_its_end_and_others_may_end_as_on_windows(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"one\r\ntwo")
    assert [line.content for line in read_lines(tmp_path / "a")] == [b"one", b"two"]


def test_a_file_cut_short_gives_what_can_be_read_and_tells_the_damage(tmp_path: Path):
    content = gzip.compress("".join(f"line {number:09d} {hash(number * 7919)}\n" for number in range(20000)).encode())
    path = tmp_path / "a.gz"
    path.write_bytes(content[: len(content) // 2])
    *whole, last = read_lines(path)
    assert len(whole) > 5000
    assert whole[77].content.startswith(b"line 000000077 ")
    assert all(line.damage is None for line in whole)
    assert (last.number, last.content) == (len(whole) + 1, b"")
    assert "end-of-stream" in str(last.damage)


def test_what_is_no_gzip_file_is_one_damaged_line(tmp_path: Path):
    (tmp_path / "a.gz").write_bytes(b"plain text\n")
    (only,) = read_lines(tmp_path / "a.gz")
    assert only.number == 1
    assert only.damage


def test_a_missing_file_is_an_error(tmp_path: Path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            list(read_lines(path))


def test_endless_lines_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LONGEST", 10)
    (tmp_path / "a").write_bytes(b"x" * 35 + b"\nshort\n" + b"y" * 9 + b"\n" + b"z" * 10)
    lines = list(read_lines(tmp_path / "a"))
    assert [(line.number, len(line.content), line.is_whole) for line in lines] == [
        (1, 10, False),
        (2, 5, True),
        (3, 9, True),
        (4, 10, False),
    ]
