from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.tokens.tokenizer_files import (
    DESCRIPTION_FILE,
    SENTENCEPIECE_FILE,
    UNKNOWN_TEXT,
    VOCABULARY_FILE,
    check_digest,
    read_description,
    read_tokenizer_file,
    save_tokenizer,
    textual_symbols,
)
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, Vocabulary

VOCABULARY = Vocabulary(["a", "b"]).with_symbols(*ADDED_SYMBOLS)


@given(st.lists(st.integers(0, 7), max_size=10))
def test_symbols_of_text_are_what_ids_say(ids: list[int]) -> None:
    names = {3: UNKNOWN_TEXT, 4: "a", 5: "b"}
    assert textual_symbols(VOCABULARY, ids) == [names[index] for index in ids if index in names]


def test_an_id_outside_is_refused() -> None:
    with pytest.raises(VocabularyError, match="outside of the vocabulary"):
        textual_symbols(VOCABULARY, [8])


def test_what_was_saved_vouches_for_its_parts(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "kind", VOCABULARY, settings={"word_mark": "ä"}, model=b"model")
    description = read_description(tmp_path / DESCRIPTION_FILE)
    assert description["kind"] == "kind"
    assert description["settings"] == {"word_mark": "ä"}
    check_digest(tmp_path, Vocabulary.load(tmp_path / VOCABULARY_FILE).fingerprint(), description["vocabulary"])
    assert read_tokenizer_file(tmp_path / SENTENCEPIECE_FILE) == b"model"
    with pytest.raises(VocabularyError, match="not the one"):
        check_digest(tmp_path, "0" * 64, description["model"])


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "damaged"), (b"{", "damaged"), (b"[" * 100_000, "damaged"), (b"[1]", "no JSON object")],
    ids=["no text", "half", "deep", "list"],
)
def test_descriptions_of_another_form_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / DESCRIPTION_FILE).write_bytes(content)
    with pytest.raises(VocabularyError, match=told):
        read_description(tmp_path / DESCRIPTION_FILE)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match="cannot be read"):
        read_tokenizer_file(tmp_path / VOCABULARY_FILE)


def test_a_description_is_written_last(tmp_path: Path) -> None:
    (tmp_path / VOCABULARY_FILE).mkdir()
    with pytest.raises(OSError, match=VOCABULARY_FILE):
        save_tokenizer(tmp_path, "kind", VOCABULARY, settings={})
    assert not (tmp_path / DESCRIPTION_FILE).exists()
