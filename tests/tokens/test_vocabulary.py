from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, BOS, EOS, PAD, UNK, Vocabulary

symbols = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1, max_size=4), unique=True
).map(lambda found: [symbol for symbol in found if symbol not in ("<s>", "<pad>", "</s>", "<unk>")])


def write(folder: Path, text: str) -> Path:
    path = folder / "dict.txt"
    path.write_bytes(text.encode("utf-8"))
    return path


def test_special_symbols_come_first_and_added_ones_last() -> None:
    vocabulary = Vocabulary(["a", "b"]).with_symbols("<mask>", "<ctc_blank>")
    assert vocabulary.symbols == ("<s>", "<pad>", "</s>", "<unk>", "a", "b", "<mask>", "<ctc_blank>")
    assert (BOS, PAD, EOS, UNK) == (0, 1, 2, 3)
    assert (vocabulary.mask_id, vocabulary.blank_id, len(vocabulary)) == (6, 7, 8)
    assert vocabulary.added_ids == {6, 7}


def test_symbols_and_ids_belong_to_each_other() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.ids_of(["b", "?", "</s>", "a"]) == [5, UNK, EOS, 4]
    assert [vocabulary.id_of(vocabulary.symbol_of(index)) for index in range(6)] == list(range(6))
    assert "a" in vocabulary
    assert "?" not in vocabulary


@pytest.mark.parametrize("index", [-1, 6])
def test_an_id_outside_is_refused(index: int) -> None:
    with pytest.raises(VocabularyError, match="outside of the vocabulary"):
        Vocabulary(["a", "b"]).symbol_of(index)


def test_adding_a_symbol_that_is_there_keeps_its_id() -> None:
    vocabulary = Vocabulary(["<mask>", "a"]).with_symbols("<mask>", "<ctc_blank>", "<ctc_blank>")
    assert vocabulary.symbols[4:] == ("<mask>", "a", "<ctc_blank>")


def test_a_missing_mask_is_told() -> None:
    with pytest.raises(VocabularyError, match="no <mask>"):
        _ = Vocabulary(["a"]).mask_id


@pytest.mark.parametrize("wrong", [["a", "a"], [""], ["a\nb"], ["<s>"]])
def test_unusable_symbols_are_refused(wrong: list[str]) -> None:
    with pytest.raises(VocabularyError):
        Vocabulary(wrong)


def test_equality_and_fingerprint_follow_symbols_and_order() -> None:
    first, same, turned = Vocabulary(["a", "b"]), Vocabulary(["a", "b"]), Vocabulary(["b", "a"])
    assert first == same
    assert hash(first) == hash(same)
    assert first != turned
    assert first.fingerprint() == same.fingerprint() != turned.fingerprint()
    assert len(first.fingerprint()) == 64


@settings(deadline=None, max_examples=50)
@given(symbols)
def test_a_saved_vocabulary_is_loaded_as_it_was(tmp_path_factory: pytest.TempPathFactory, found: list[str]) -> None:
    vocabulary = Vocabulary(found).with_symbols(*ADDED_SYMBOLS)
    path = tmp_path_factory.mktemp("saved") / "vocabulary.txt"
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded == vocabulary
    assert loaded.fingerprint() == vocabulary.fingerprint()
    assert [each.name for each in path.parent.iterdir()] == ["vocabulary.txt"]


def test_fairseq_dictionaries_are_read_in_file_order(tmp_path: Path) -> None:
    path = write(tmp_path, "▁ 94\r\ne 71\r\n# 7\r\n  3\r\n'12 -1\r\n")
    assert Vocabulary.from_fairseq(path).symbols[4:] == ("▁", "e", "#", " ", "'12")


def test_an_overwriting_line_takes_a_new_id_that_is_looked_up(tmp_path: Path) -> None:
    vocabulary = Vocabulary.from_fairseq(write(tmp_path, "a 1\n<unk> 2 #fairseq:overwrite\na 3 #fairseq:overwrite\n"))
    assert vocabulary.symbols[4:] == ("a", "<unk>", "a")
    assert vocabulary.ids_of(["a", "<unk>"]) == [6, 5]
    vocabulary.save(tmp_path / "again.txt")
    assert Vocabulary.load(tmp_path / "again.txt").ids_of(["a", "<unk>"]) == [6, 5]
    assert vocabulary.with_symbols("b").ids_of(["a", "b"]) == [6, 7]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a 1\nb\n", "line 2"),
        ("a 1\n\nb 2\n", "line 2"),
        ("a one\n", "line 1"),
        ("a ²\n", "line 1"),
        (" 1\n", "line 1"),
        ("a 1\nb 2\na 3\n", "two ids"),
        ("<s> 1\n", "two ids"),
    ],
)
def test_lines_of_another_form_are_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(VocabularyError, match=told) as caught:
        Vocabulary.from_fairseq(write(tmp_path, text))
    assert "dict.txt" in str(caught.value)


def test_files_that_are_no_dictionary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot be read"):
        Vocabulary.from_fairseq(tmp_path / "nowhere.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe 1\n")
    with pytest.raises(VocabularyError, match="not UTF-8"):
        Vocabulary.from_fairseq(tmp_path / "binary")


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=60))
def test_any_bytes_give_a_vocabulary_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "dict.txt"
    path.write_bytes(content)
    try:
        vocabulary = Vocabulary.from_fairseq(path)
    except VocabularyError:
        return
    assert len(vocabulary) >= 4
