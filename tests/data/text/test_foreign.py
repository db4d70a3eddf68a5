from pathlib import Path

import pytest

from data.importers.test_fairseq_text import SENTENCES, TEXTS, write
from sprachbund.data.text.foreign import DatasetText, FairseqText, is_data_set
from sprachbund.data.text.lines import TextSource, each_line
from sprachbund.data.text.sources import open_text
from sprachbund.errors import DataError


def test_sentences_of_fairseq_are_reached_by_their_numbers(tmp_path: Path) -> None:
    index = write(tmp_path / "train.idx")
    source = open_text(index)
    assert isinstance(source, FairseqText)
    assert isinstance(source, TextSource)
    assert [source.line(number).text for number in (3, 2, 1, 0)] == TEXTS[::-1]
    assert (len(source), source.num_bytes) == (4, 2 * sum(map(len, SENTENCES)))
    assert open_text(index.with_suffix(".bin")).fingerprint() == source.fingerprint()
    write(tmp_path / "other" / "train.idx", SENTENCES[1:])
    assert open_text(tmp_path / "other" / "train.idx").fingerprint() != source.fingerprint()
    write(tmp_path / "wrong.idx", [[4], [99]])
    wrong = open_text(tmp_path / "wrong.idx")
    assert wrong.line(0).text == ""
    with pytest.raises(DataError, match=r"not in the dictionary in .*wrong\.bin, sentence 2 \(given: 99"):
        wrong.line(1)


def test_a_column_of_a_saved_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    rows = datasets.Dataset.from_dict({"text": ["a", "b", "ç"], "said": ["x", "y", "z"], "number": [1, 2, 3]})
    rows.save_to_disk(str(tmp_path / "rows"))
    datasets.DatasetDict({"train": rows, "test": rows.select([1])}).save_to_disk(str(tmp_path / "splits"))
    source = open_text(tmp_path / "rows")
    assert isinstance(source, DatasetText)
    assert [line.text for line in each_line(source)] == ["a", "b", "ç"]
    assert len(source) == 3
    assert source.num_bytes > 0
    said = open_text(f"{tmp_path / 'rows'}#said")
    assert said.line(2).text == "z"
    assert said.fingerprint() != source.fingerprint()
    assert open_text(tmp_path / "splits" / "test").line(0).text == "b"
    with pytest.raises(DataError, match=r"several splits .*Name the folder of one: test, train\."):
        open_text(tmp_path / "splits")
    with pytest.raises(DataError, match=r"no such column .*given: words.*There are: text, said, number\."):
        open_text(f"{tmp_path / 'rows'}#words")
    with pytest.raises(DataError, match=r"no text in .*row 1 \(given: int\)"):
        open_text(f"{tmp_path / 'rows'}#number").line(1)
    (tmp_path / "rows" / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be loaded"):
        open_text(tmp_path / "rows")


def test_folders_of_data_sets_are_known_by_their_files(tmp_path: Path) -> None:
    assert not is_data_set(tmp_path)
    assert not is_data_set(tmp_path / "\0")
    (tmp_path / "dataset_info.json").write_text("{}")
    assert is_data_set(tmp_path)
