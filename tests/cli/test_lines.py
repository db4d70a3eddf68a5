from pathlib import Path

import tiny
from commands import assert_refused, run_command
from line_work import write_units


def test_lines_of_a_store_are_printed(tmp_path: Path) -> None:
    store = write_units(tmp_path / "store", [([1, 2], "a b"), ([], "ç"), ([5], "d")])
    assert run_command("tokens", "lines", store).out == "1 2\ta b\n\tç\n5\td\n"
    assert run_command("tokens", "lines", store, "--field", "units").out == "1 2\n\n5\n"
    assert run_command("tokens", "lines", store, "--field", "text", "--first", "2").out == "a b\nç\n"
    assert run_command("tokens", "lines", store, "--first", "0").out == ""


def test_lines_of_other_sources_are_printed(tmp_path: Path) -> None:
    text = tiny.write_text(tmp_path, ["one", "two"])
    assert run_command("tokens", "lines", text, "--first", "1").out == "one\n"
    (tmp_path / "a.jsonl").write_text('{"text": "a", "said": "b"}\n')
    assert run_command("tokens", "lines", tmp_path / "a.jsonl", "--field", "said").out == "b\n"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    assert_refused(run_command("tokens", "lines", tmp_path / "missing.txt"), "cannot be read", "missing.txt")
    assert_refused(run_command("tokens", "lines", tmp_path), "holds no text")
    store = write_units(tmp_path / "store", [([1, 2], "a b")])
    assert_refused(run_command("tokens", "lines", store, "--field", "phones"), "no such field", "units, text")
    (store / "text.items").write_bytes(b"")
    assert_refused(run_command("tokens", "lines", store), "cut short")
