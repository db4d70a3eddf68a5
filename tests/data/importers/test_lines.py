from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import importing
from sprachbund.data.importers.lines import Line, is_file, locate, read_lines, read_table, shorten
from sprachbund.errors import DataError


def lines_of(path: Path, content: bytes) -> list[str]:
    path.write_bytes(content)
    return [line.text for line in read_lines(path)]


def test_line_ends_and_marks_are_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "list"
    assert lines_of(path, b"\xef\xbb\xbfa b\r\n\r\nc\rd\n e \n") == ["a b", "", "c\rd", " e "]
    assert lines_of(path, b"one\ntwo") == ["one", "two"]
    assert lines_of(path, b"") == []
    # Other characters that Python parts lines at are text.
    assert lines_of(path, "a\u2028b\x0bc\x85d\n".encode()) == ["a\u2028b\x0bc\x85d"]


@given(rows=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\ufeff"))))
def test_lines_written_are_lines_read(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows"
    for end in ("\n", "\r\n"):
        assert lines_of(path, "".join(row + end for row in rows).encode()) == rows


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not UTF-8 in .*list, line 2 .* iconv"):
        lines_of(tmp_path / "list", b"fine\ngr\xfc\xdf\nfine\n")


@pytest.mark.parametrize("name", ["none", ".", "a\x00b", "x" * 300])
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    assert not is_file(tmp_path / name)
    with pytest.raises(DataError, match="a list cannot be read"):
        list(read_lines(tmp_path / name))


def test_tables(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a  hello world \n\n b\tsecond\nc\n")
    table = read_table(path)
    assert {key: value for key, (value, _) in table.items()} == {"a": "hello world", "b": "second", "c": ""}
    assert table["b"][1].where == f"{path}, line 3"
    path.write_text("a 1\nb 2\na 3\n")
    with pytest.raises(DataError, match=r"'a' is there twice in .*text, line 3"):
        read_table(path)


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "-1", "-0.1", "1_0", "", "one", "٣", "0x10", "1,5"])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(DataError, match="the start is not a number of at least 0 in list, line 4"):
        Line(Path("list"), 4, f"a {text}").number_of(text, "start")


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("1.50", 1.5), (".5", 0.5), ("2.", 2), ("1e-3", 0.001), ("-0", 0)]
)
def test_numbers(text: str, value: float) -> None:
    assert Line(Path("list"), 1, text).number_of(text, "start") == value


def test_files_are_looked_for_beside_the_list_and_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importing.write_files(tmp_path, {"lists/a.wav": "a", "here/b.wav": "b", "here/a.wav": "another"})
    monkeypatch.chdir(tmp_path / "here")
    folder = tmp_path / "lists"
    assert locate("a.wav", folder) == folder / "a.wav"
    assert locate("b.wav", folder) == Path("b.wav")
    assert locate("none.wav", folder) == folder / "none.wav"
    assert locate(str(tmp_path / "here/b.wav"), folder) == tmp_path / "here/b.wav"
    assert locate("../here/b.wav", folder) == folder / "../here/b.wav"


def test_what_a_message_shows_is_one_short_line() -> None:
    assert shorten("a\nb") == r"'a\nb'"
    assert len(shorten("x" * 5000)) < 100
    assert shorten("\ud800") == "'?'"
