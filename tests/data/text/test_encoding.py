import json
from pathlib import Path

import pytest

import tiny
from sprachbund.data.text import encoding
from sprachbund.data.text.blocks import Work
from sprachbund.data.text.encoding import Made, TextEncoding, made_lines
from sprachbund.data.text.memory import TOKENS, MemoryLines
from sprachbund.data.text.store import LineStore
from sprachbund.errors import DataError

LINES = [*tiny.LINES, "", "abc " * 20, " "] * 9


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TextEncoding:
    monkeypatch.setenv("SPRACHBUND_CACHE", str(tmp_path / "cache"))
    tiny.character_tokenizer().save(tmp_path / "tokenizer")
    return TextEncoding(tmp_path / "tokenizer", 60)


def tokens(made: Made) -> list[list[int]]:
    return [made.lines.tokens(TOKENS, number).tolist() for number in range(len(made.lines))]


def test_small_and_large_texts_are_encoded_alike(
    tmp_path: Path, work: TextEncoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(work, Work)
    text = tiny.write_text(tmp_path, LINES)
    small = made_lines(text, work)
    assert isinstance(small.lines, MemoryLines)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(encoding, "SMALL", 0)
    large = made_lines(text, work)
    assert isinstance(large.lines, LineStore)
    assert tokens(large) == tokens(small) == [tiny.character_tokenizer().encode(line) for line in tiny.LINES] * 9
    assert dict(large.left_out) == dict(small.left_out) == {"empty": 18, "longer than 60 tokens": 9}


def test_a_large_text_is_encoded_once(tmp_path: Path, work: TextEncoding, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "SMALL", 0)
    text = tiny.write_text(tmp_path, LINES)
    first = made_lines(text, work)
    monkeypatch.setattr(TextEncoding, "start", lambda _: pytest.fail("it is encoded already"))
    again = made_lines(text, work)
    assert isinstance(first.lines, LineStore)
    assert isinstance(again.lines, LineStore)
    assert again.lines.folder == first.lines.folder
    assert again.left_out == first.left_out


def test_other_limits_tokenizers_and_lines_are_encoded_anew(
    tmp_path: Path, work: TextEncoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "SMALL", 0)
    text = tiny.write_text(tmp_path, LINES)
    tiny.CharacterTokenizer.train(["xyz"]).save(tmp_path / "other")
    works = [work, TextEncoding(tmp_path / "tokenizer", 6), TextEncoding(tmp_path / "other", 60)]
    found = [made_lines(text, each).lines for each in works]
    text.write_text("ab\n", "utf-8")
    found.append(made_lines(text, work).lines)
    assert len({lines.folder for lines in found if isinstance(lines, LineStore)}) == 4
    assert len(found[-1]) == 1


def test_a_line_that_cannot_be_read_ends_it(
    tmp_path: Path, work: TextEncoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text.txt").write_bytes(b"ab\n\xff\nab\n")
    with pytest.raises(DataError, match=r"not UTF-8 in .*text\.txt, line 2"):
        made_lines(tmp_path / "text.txt", work)
    monkeypatch.setattr(encoding, "SMALL", 0)
    for _ in range(2):
        with pytest.raises(DataError, match=r"1 lines cannot be read as text .*listed in .*rejected\.jsonl") as caught:
            made_lines(tmp_path / "text.txt", work)
    listed = str(caught.value).partition("listed in ")[2].partition(";")[0]
    assert json.loads(Path(listed).read_text())["line"] == 2
