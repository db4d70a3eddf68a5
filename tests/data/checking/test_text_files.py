import gzip
from pathlib import Path

import pytest

import tiny
from sprachbund.data.checking import lines
from sprachbund.data.checking.text_files import judge_lines
from sprachbund.data.checking.texts import Alphabet, TextRules, comparable
from sprachbund.errors import DataError

RULES = TextRules(max_characters=20, alphabet=Alphabet(tiny.character_tokenizer()), held_out=comparable(["a bad ace"]))


def test_every_line_is_judged_by_itself(tmp_path: Path):
    content = [b"a cab", b"", b"gr\xf6n", b"a cab " * 9, b"A BAD, ace!", b"xyz", b"bead\r"]
    (tmp_path / "a.txt").write_bytes(b"\n".join(content))
    judged = list(judge_lines(tmp_path / "a.txt", RULES))
    assert [each.line.number for each in judged] == [1, 2, 3, 4, 5, 6, 7]
    assert [[fault.kind for fault in each.faults] for each in judged] == [
        [],
        ["empty-text"],
        ["wrong-encoding"],
        ["long-text"],
        ["unknown-characters", "held-out-text"],
        ["unknown-characters"],
        [],
    ]
    assert "not UTF-8" in judged[2].faults[0].detail
    assert judged[6].text == "bead"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_text_in_another_encoding(tmp_path: Path, encoding: str):
    (tmp_path / "a.txt").write_text("größer\nälter", encoding)
    judged = list(judge_lines(tmp_path / "a.txt", TextRules()))
    assert [[fault.kind for fault in each.faults] for each in judged] == [["wrong-encoding"]] * 2


def test_damage_and_endless_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"a cab\n")[:-8])
    assert [[fault.kind for fault in each.faults] for each in judge_lines(path, RULES)] == [[], ["damaged-file"]]
    monkeypatch.setattr(lines, "LONGEST", 30)
    (tmp_path / "b.txt").write_bytes(b"a" * 100 + b"\nbead\n")
    assert [[fault.kind for fault in each.faults] for each in judge_lines(tmp_path / "b.txt", RULES)] == [
        ["long-text"],
        [],
    ]


def test_a_missing_text_is_an_error(tmp_path: Path):
    with pytest.raises(DataError):
        list(judge_lines(tmp_path / "none.txt", RULES))
