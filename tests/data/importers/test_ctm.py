from pathlib import Path

import pytest
from hypothesis import given, settings

import importing
import tiny
from sprachbund.data.importers.alignments import timed
from sprachbund.data.importers.ctm import read_ctm
from sprachbund.errors import DataError

CTM = ";; made by hand\nclip-000 1 0.20 0.10 ba 0.75\r\nclip-000 1 0.05 0.10 ab\n\nclip-001 A 0 0.2 cab 1\n"


def test_lines_become_items_in_order(tmp_path: Path) -> None:
    importing.write_files(tmp_path, {"words.ctm": CTM})
    assert read_ctm(tmp_path / "words.ctm") == {
        "clip-000": [timed("ab", 0.05, 0.1), timed("ba", 0.2, 0.1, 0.75)],
        "clip-001": [timed("cab", 0, 0.2, 1)],
    }


def test_words_and_phones_of_a_folder(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path / "tiny", 2)
    importing.write_files(tmp_path / "ctm", {"words.ctm": CTM, "train_phones.ctm": "clip-000 1 0.05 0.02 AE\n"})
    cuts = importing.imported("ctm", tmp_path / "ctm", tmp_path / "out", manifest=manifest)
    said = cuts["clip-000"].supervisions[0]
    assert (said.text, sorted(said.alignment)) == ("ab", ["phone", "word"])
    assert said.alignment["phone"] == [timed("AE", 0.05, 0.02)]
    [report] = importing.run("ctm", tmp_path / "ctm" / "words.ctm", tmp_path / "out", manifest=manifest)
    assert (report.path.name, report.notes) == ("clip.jsonl.gz", ())
    with pytest.raises(DataError, match="--manifest"):
        importing.run("ctm", tmp_path / "ctm", tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("clip 1 0.1 0.2", "the line is not 'recording channel start duration symbol' in .*a.ctm, line 2"),
        ("clip 1 0.1 0.2 a 0.5 lex", "the line is not"),
        ("clip 1 nan 0.2 a", "the start is not a number"),
        ("clip 1 0.1 -0.2 a", "the duration is not a number"),
        ("clip 1 0.1 0.2 a inf", "the score is not a number"),
    ],
)
def test_malformed_lines(tmp_path: Path, line: str, told: str) -> None:
    importing.write_files(tmp_path, {"a.ctm": f"clip 1 0 0.1 b\n{line}\n"})
    with pytest.raises(DataError, match=told):
        read_ctm(tmp_path / "a.ctm")


@settings(deadline=None, max_examples=60)
@given(content=importing.contents("clip ", "1 ", "0.5 ", "word", "\n", ";;"))
def test_any_file_gives_items_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.ctm"
    path.write_bytes(content)
    importing.items_or_error(lambda: read_ctm(path).items())
