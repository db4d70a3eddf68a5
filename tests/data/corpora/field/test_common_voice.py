from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.data.corpora.field.common_voice import language_folders, read_common_voice, read_table, to_utterance
from sprachbund.data.corpora.field.inventory import Inventory
from sprachbund.errors import CorpusError

COLUMNS = "path\tsentence\n"


@pytest.mark.parametrize("given_folder", ["", "cv-corpus-17.0-2024-03-15"])
def test_release_and_the_folder_above_hold_the_languages(given_folder: str, build: Callable[[str], Any]) -> None:
    folder = build("common-voice").folder / given_folder
    assert [place.name for place in language_folders(folder)] == ["en", "sv-SE"]
    assert sorted(read_common_voice(folder, Inventory(""))) == ["dev.sv-SE", "test.en", "train.en", "train.sv-SE"]


def test_a_language_by_itself_may_be_given(build: Callable[[str], Any]) -> None:
    folder = build("common-voice").folder / "cv-corpus-17.0-2024-03-15/en"
    assert sorted(read_common_voice(folder, Inventory(""))) == ["test.en", "train.en"]


def test_a_name_cannot_point_out_of_the_clips() -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "..", ""):
        said = to_utterance({"path": path, "sentence": "a"}, Path("/data/fr"))
        assert said.recording.parent == Path("/data/fr/clips")


def test_columns_of_old_and_new_releases_are_known() -> None:
    old = to_utterance({"path": "a", "sentence": "b", "client_id": "c", "accent": "d", "gender": ""}, Path("/fr"))
    new = to_utterance({"path": "a.mp3", "sentence": "b", "client_id": "c", "accents": "d"}, Path("/fr"))
    assert old == new
    assert (old.recording, old.speaker, old.gender, old.custom) == (Path("/fr/clips/a.mp3"), "c", None, {"accent": "d"})


@pytest.mark.parametrize(
    "content", [b"a\tb\n1\t2\n", b"", b"path\n1\n", b"\xff\xfe", b"path\tsentence\n" + b"a" * 200_000]
)
def test_tables_that_are_none_are_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_bytes(content)
    with pytest.raises(CorpusError, match="table"):
        list(read_table(tmp_path / "train.tsv"))


def test_a_table_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="table cannot be read"):
        list(read_table(tmp_path / "train.tsv"))


plain = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\t\n\r"), max_size=20)


@given(rows=st.lists(st.tuples(plain.filter(bool), plain), max_size=5))
def test_quotes_have_no_meaning(rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("table") / "train.tsv"
    path.write_text(COLUMNS + "".join(f"{name}\t{sentence}\n" for name, sentence in rows), "utf-8", newline="")
    assert [(row["path"], row["sentence"]) for row in read_table(path)] == rows


def test_rows_cut_short_have_empty_fields(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("path\tsentence\tage\nclip.mp3\tyes\nother.mp3\n")
    rows = [(row["path"], row["sentence"], row["age"]) for row in read_table(tmp_path / "train.tsv")]
    assert rows == [("clip.mp3", "yes", ""), ("other.mp3", "", "")]
