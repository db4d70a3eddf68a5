import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer, TextTokenizer, load_tokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, BOS, EOS, PAD, UNK, Vocabulary

LINES = [
    "hello you there",
    "the  world is big\t",
    "there you are, world",
    "",
    "ÄÖ über größe",
    "hello there hello",
    "a bigger world than theirs",
    "you told the others where we were",
    "words and swords are worlds apart",
] * 4
LETTERS = sorted(set("".join("".join(LINES).split())))
texts = st.lists(st.text(st.sampled_from(LETTERS), min_size=1, max_size=6), max_size=5).map(" ".join)


@pytest.fixture(scope="module", params=["character", "char", "unigram", "bpe"])
def tokenizer(request: pytest.FixtureRequest) -> TextTokenizer:
    if request.param == "character":
        return CharacterTokenizer.train(LINES)
    size = None if request.param == "char" else 40
    return SentencePieceTokenizer.train(LINES, vocab_size=size, model_type=request.param)


@settings(deadline=None, max_examples=60)
@given(texts)
def test_decoding_undoes_encoding(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert UNK not in ids
    assert tokenizer.decode(ids) == text


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0▁"), max_size=20))
def test_any_text_is_encoded_within_the_vocabulary(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert all(3 <= index < len(tokenizer.vocabulary) - 2 for index in ids)
    assert (UNK in ids) == bool(tokenizer.unknown(text))  # type: ignore[attr-defined]


def test_a_tokenizer_satisfies_the_protocol(tokenizer: TextTokenizer) -> None:
    assert isinstance(tokenizer, TextTokenizer)


def test_white_space_is_collapsed(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode(" hello\t\u00a0 you ") == tokenizer.encode("hello you")
    assert tokenizer.encode(" ") == []
    assert tokenizer.decode([]) == ""


def test_mask_and_blank_are_the_last_entries(tokenizer: TextTokenizer) -> None:
    assert tokenizer.vocabulary.symbols[-2:] == ("<mask>", "<ctc_blank>")
    assert tokenizer.vocabulary.symbols[:4] == ("<s>", "<pad>", "</s>", "<unk>")


def test_symbols_that_are_no_text_are_left_out(tokenizer: TextTokenizer) -> None:
    vocabulary = tokenizer.vocabulary
    ids = tokenizer.encode("hello you")
    noise = [BOS, vocabulary.mask_id, *ids, vocabulary.blank_id, EOS, PAD, PAD]
    assert tokenizer.decode(noise) == "hello you"


def test_unknown_characters_stay_visible_and_are_counted(tokenizer: TextTokenizer) -> None:
    ids = tokenizer.encode("hełło")
    assert ids.count(UNK) >= 1
    assert "⁇" in tokenizer.decode(ids)
    assert tokenizer.decode(ids).replace("⁇", "") == "heo"
    assert set("".join(tokenizer.unknown("hełło ł"))) == {"ł"}  # type: ignore[attr-defined]


def test_every_word_starts_at_a_word_start(tokenizer: TextTokenizer) -> None:
    starts = tokenizer.word_start_ids()
    assert {BOS, PAD, EOS, UNK} < starts
    assert tokenizer.vocabulary.mask_id not in starts
    ids = tokenizer.encode("hello you there")
    assert sum(index in starts for index in ids) == 3
    assert ids[0] in starts


def test_a_saved_tokenizer_is_loaded_as_it_was(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer")
    loaded = load_tokenizer(tmp_path / "tokenizer")
    assert type(loaded) is type(tokenizer)
    assert loaded.vocabulary == tokenizer.vocabulary
    for line in LINES:
        assert loaded.encode(line) == tokenizer.encode(line)
        assert loaded.decode(tokenizer.encode(line)) == tokenizer.decode(tokenizer.encode(line))
    loaded.save(tmp_path / "again")
    for path in (tmp_path / "tokenizer").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_pieces_may_have_other_numbers() -> None:
    tokenizer = SentencePieceTokenizer.train(LINES)
    pieces = [symbol for symbol in tokenizer.vocabulary.symbols[4:] if symbol not in ADDED_SYMBOLS]
    turned = tokenizer.with_vocabulary(Vocabulary(reversed(pieces)))
    assert turned.vocabulary.symbols[4:] == tuple(reversed(pieces))
    for line in LINES:
        assert turned.decode(turned.encode(line)) == tokenizer.decode(tokenizer.encode(line))
        if line.split():
            assert turned.encode(line) != tokenizer.encode(line)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocabulary.txt", "sentencepiece.model"])
def test_missing_and_damaged_files_are_told(tokenizer: TextTokenizer, tmp_path: Path, name: str) -> None:
    tokenizer.save(tmp_path)
    path = tmp_path / name
    if not path.exists():
        pytest.skip("a character tokenizer has no model")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(VocabularyError):
        load_tokenizer(tmp_path)
    path.unlink()
    with pytest.raises(VocabularyError, match="cannot be read"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("description", ["[]", '{"kind": "words", "settings": {}}', '{"kind": "character"}'])
def test_descriptions_of_another_kind_are_refused(tmp_path: Path, description: str) -> None:
    CharacterTokenizer.train(LINES).save(tmp_path)
    changed = json.loads(description)
    if isinstance(changed, dict):
        changed["vocabulary"] = json.loads((tmp_path / "tokenizer.json").read_text())["vocabulary"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
    with pytest.raises(VocabularyError):
        load_tokenizer(tmp_path)


def test_characters_are_ordered_by_frequency_then_code_point() -> None:
    tokenizer = CharacterTokenizer.train(["b a|c b", "ca"])
    assert tokenizer.vocabulary.symbols[4:-2] == ("|", "a", "b", "c")
    assert tokenizer.encode("ab c") == [4, 5, 6, 4, 7]
    assert CharacterTokenizer.train(["ca", "b a|c b"]).vocabulary == tokenizer.vocabulary


def test_the_word_mark_in_a_text_is_unknown_rather_than_a_space() -> None:
    tokenizer = CharacterTokenizer.train(["a|b"])
    assert tokenizer.encode("a|b") == [4, 5, UNK, 6]
    assert tokenizer.unknown("a|b") == {"|": 1}
    assert CharacterTokenizer.train(["a|b"], word_mark="▁").decode([4, 5, 6]) == "ab"


def test_a_small_vocabulary_keeps_the_frequent_characters() -> None:
    tokenizer = CharacterTokenizer.train(["aaabbc"], size=9)
    assert len(tokenizer.vocabulary) == 9
    assert tokenizer.unknown("abc") == {"c": 1}
    with pytest.raises(VocabularyError, match="no room"):
        CharacterTokenizer.train(["abc"], size=7)


def test_training_needs_text_and_a_size_that_can_be() -> None:
    for empty in ([], ["", " \t"], ["|"]):
        with pytest.raises(VocabularyError, match="no text"):
            CharacterTokenizer.train(empty)
    with pytest.raises(VocabularyError, match="no text"):
        SentencePieceTokenizer.train([" "])
    with pytest.raises(VocabularyError, match="needs a size"):
        SentencePieceTokenizer.train(LINES, model_type="bpe")
    with pytest.raises(VocabularyError, match="cannot train"):
        SentencePieceTokenizer.train(LINES, model_type="unigram", vocab_size=5000)
    with pytest.raises(VocabularyError, match="no room"):
        SentencePieceTokenizer.train(LINES, model_type="bpe", vocab_size=6)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_training_twice_gives_the_same_tokenizer_of_the_size_asked_for(tmp_path: Path, model_type: str) -> None:
    for name in ("first", "second"):
        trained = SentencePieceTokenizer.train(LINES, vocab_size=40, model_type=model_type)  # type: ignore[arg-type]
        assert len(trained.vocabulary) == 40
        trained.save(tmp_path / name)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_long_lines_are_not_left_out_of_training() -> None:
    tokenizer = SentencePieceTokenizer.train(["ab", "xyz " * 3000])
    assert tokenizer.unknown("xyz") == {}


def test_a_model_with_its_fairseq_dictionary_has_the_ids_of_the_dictionary(tmp_path: Path) -> None:
    SentencePieceTokenizer.train(LINES).save(tmp_path)
    (tmp_path / "dict.txt").write_text("e 90\n▁ 80\nl 70\nh 60\no 50\nmadeupword 0\n", encoding="utf-8")
    tokenizer = SentencePieceTokenizer.from_files(tmp_path / "sentencepiece.model", tmp_path / "dict.txt")
    assert tokenizer.encode("hello") == [5, 7, 4, 6, 6, 8]
    assert (tokenizer.vocabulary.mask_id, tokenizer.vocabulary.blank_id) == (10, 11)
    assert tokenizer.decode([5, 7, 4, 6, 6, 8, 5, 8]) == "hello o"
    assert tokenizer.encode("hey")[-1] == UNK
    tokenizer.save(tmp_path / "saved")
    assert load_tokenizer(tmp_path / "saved").encode("hello") == tokenizer.encode("hello")


def test_foreign_models_and_dictionaries_are_refused(tmp_path: Path) -> None:
    SentencePieceTokenizer.train(LINES).save(tmp_path)
    sound = (tmp_path / "sentencepiece.model").read_bytes()
    # The second is a sound model but for a piece that is no UTF-8.
    for content in (b"no model at all", sound.replace("▁".encode(), b"\xff\xfe\xfd")):
        (tmp_path / "foreign.model").write_bytes(content)
        with pytest.raises(VocabularyError, match="not a SentencePiece model"):
            SentencePieceTokenizer.from_files(tmp_path / "foreign.model")
    (tmp_path / "dict.txt").write_text("THE 3\nAND 2\n")
    with pytest.raises(VocabularyError, match="no piece"):
        SentencePieceTokenizer.from_files(tmp_path / "sentencepiece.model", tmp_path / "dict.txt")


def test_a_character_tokenizer_needs_its_word_mark() -> None:
    with pytest.raises(VocabularyError, match="word mark"):
        CharacterTokenizer(Vocabulary(["a"]))


def test_a_description_of_endless_depth_is_told(tmp_path: Path) -> None:
    CharacterTokenizer.train(LINES).save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("[" * 100_000)
    with pytest.raises(VocabularyError, match="description of the tokenizer is damaged"):
        load_tokenizer(tmp_path)
