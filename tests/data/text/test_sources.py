import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import importing
import tiny
from line_work import write_units
from sprachbund.data.text.foreign import FairseqText
from sprachbund.data.text.lines import TextSource, each_line
from sprachbund.data.text.sources import JsonText, PlainText, StoredText, open_text, text_fingerprint
from sprachbund.errors import DataError, SprachbundError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\ufeff"), max_size=12)


def texts(name: Path | str) -> list[str]:
    return [line.text for line in each_line(open_text(name))]


@given(lines=st.lists(TEXT, max_size=9), is_zipped=st.booleans())
@settings(deadline=None, max_examples=40)
def test_plain_text_and_json_lines_give_the_lines_written(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], is_zipped: bool
) -> None:
    folder, suffix = tmp_path_factory.mktemp("texts"), ".gz" if is_zipped else ""
    records = [{"text": line, "more": number, "said": line[::-1]} for number, line in enumerate(lines)]
    for name, content in (
        ("a.txt", "".join(f"{line}\n" for line in lines)),
        ("a.jsonl", "".join(f"{json.dumps(record)}\n" for record in records)),
    ):
        whole = content.encode("utf-8")
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(whole) if is_zipped else whole)
    assert texts(folder / f"a.txt{suffix}") == lines
    assert texts(folder / f"a.jsonl{suffix}") == lines
    assert texts(f"{folder / 'a.jsonl'}{suffix}#said") == [line[::-1] for line in lines]


def test_a_manifest_gives_its_transcripts(tmp_path: Path) -> None:
    manifest = tiny.write_corpus(tmp_path, 3)
    assert texts(manifest) == list(tiny.TEXTS[:3])
    with pytest.raises(DataError, match=r"no such field of text in .*line 1 \(given: text; there are: .*supervisions"):
        texts(f"{manifest}#text")


def test_a_store_gives_a_field_and_those_of_text_beside_it(tmp_path: Path) -> None:
    store = write_units(tmp_path / "store", [([3, 1], "a b"), ([], "")])
    assert texts(store) == texts(f"{store}#text") == ["a b", ""]
    units = open_text(f"{store}#units")
    assert [(line.text, line.beside) for line in each_line(units)] == [("3 1", {"text": "a b"}), ("", {"text": ""})]
    assert open_text(store).line(0).beside == {}
    with pytest.raises(DataError, match="no such field"):
        open_text(f"{store}#phones")


def test_kinds_are_told_by_what_is_there(tmp_path: Path) -> None:
    importing.write_files(tmp_path, {"a.txt": "a\n", "b.jsonl": '{"text": "b"}\n', "c#d.txt": "c\n", "e.idx": ""})
    store = write_units(tmp_path / "store", [([], "s")])
    kinds = {"a.txt": PlainText, "b.jsonl": JsonText, "b.jsonl#x": JsonText, "c#d.txt": PlainText, store: StoredText}
    for name, kind in kinds.items():
        source = open_text(tmp_path / name)
        assert type(source) is kind
        assert isinstance(source, TextSource)
        assert type(open_text(source.name)) is kind
    (tmp_path / "dict.txt").write_text("")
    with pytest.raises(DataError, match="no index of fairseq"):
        FairseqText(tmp_path / "e.idx")


@pytest.mark.parametrize(
    ("name", "files", "told"),
    [
        ("a.txt", {"a.txt": b"fine\nnot \xff fine\n"}, r"not UTF-8 in .*a\.txt, line 2"),
        ("a.jsonl", {"a.jsonl": b'{"text": "a"}\n{"text": "a\n'}, r"no JSON in .*line 2"),
        ("a.jsonl", {"a.jsonl": b"[" * 100_000}, "no JSON in .*line 1"),
        ("a.jsonl", {"a.jsonl": b'{"said": "a"}\n'}, r"no such field of text .*given: text; there are: said"),
        ("a.jsonl#b", {"a.jsonl": b'{"text": "a"}\n'}, r"no such field of text .*given: b; there are: text"),
        ("a.jsonl", {"a.jsonl": b'{"text": 3}\n'}, "no such field of text"),
        ("a.jsonl", {"a.jsonl": b'["text"]\n'}, r"no such field of text .*there are: list"),
        ("a.jsonl", {"a.jsonl": b'{"text": "\\ud800"}\n'}, "no such field of text"),
        ("a.jsonl", {"a.jsonl": b'{"type": "MonoCut"}\n'}, "no valid cut in .*line 1"),
        ("a.txt#b", {"a.txt": b"a"}, "has no fields"),
        ("missing.txt", {}, "cannot be read"),
        (".", {}, "the folder holds no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_lines_are_told_with_file_and_line(tmp_path: Path, name: str, files: Mapping[str, Any], told: str) -> None:
    importing.write_files(tmp_path, files)
    with pytest.raises(DataError, match=told):
        texts(f"{tmp_path}/{name}")


def test_a_bad_line_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\n\xff\nb\n")
    source = open_text(tmp_path / "a.txt")
    assert (source.line(0).text, source.line(2).text, len(source)) == ("a", "b", 3)


def test_fingerprints_follow_the_lines(tmp_path: Path) -> None:
    importing.write_files(tmp_path, {"a.jsonl": '{"text": "a", "b": "c"}\n', "a.txt": "a\n", "b.txt": "a\n"})
    store = write_units(tmp_path / "store", [([1], "s")])
    names = ["a.jsonl", "a.jsonl#b", "a.txt", "store#text", "store#units"]
    found = {name: text_fingerprint(tmp_path / name) for name in names}
    assert len(set(found.values())) == len(names)
    assert text_fingerprint(tmp_path / "b.txt") == found["a.txt"]
    assert text_fingerprint(store) == found["store#text"]
    (tmp_path / "a.txt").write_text("b\n")
    assert text_fingerprint(tmp_path / "a.txt") != found["a.txt"]


@given(content=st.binary(max_size=60), suffix=st.sampled_from([".txt", ".jsonl", ".jsonl.gz", ".idx", ".txt.gz"]))
@settings(deadline=None, max_examples=80)
def test_any_bytes_are_lines_or_told(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"a{suffix}"
    path.write_bytes(content)
    try:
        texts(path)
    except SprachbundError:
        pass
