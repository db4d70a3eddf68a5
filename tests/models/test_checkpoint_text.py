from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.checkpoints.fairseq import FairseqCheckpoint
from sprachbund.errors import CheckpointError, VocabularyError
from sprachbund.models.checkpoint_text import check_units, dictionary_of_pieces, find_tokenizer
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, MASK_SYMBOL, Vocabulary

LETTERS = Vocabulary("|ETAOIN")
PHONES = Vocabulary(["AA_B", "SIL", "T"])
SIZE = len(LETTERS) + 1  # the task adds a <mask>
LINES = ("a bad deed", "dad bade ace cab", "cab ace bead dad")


def checkpoint(folder: Path = Path("nowhere"), **kept: Vocabulary) -> FairseqCheckpoint:
    symbols = {name: vocabulary.symbols for name, vocabulary in kept.items()}
    return FairseqCheckpoint(folder / "model.pt", None, {}, {}, False, {}, dictionaries=symbols)


@pytest.mark.parametrize("name", ["dict.ltr.txt", "dict.txt"])
def test_a_dictionary_beside_the_checkpoint_is_read(name: str, tmp_path: Path):
    LETTERS.save(tmp_path / name)
    for size, symbols in ((SIZE, (*LETTERS.symbols, MASK_SYMBOL)), (len(LETTERS), LETTERS.symbols)):
        tokenizer = find_tokenizer(checkpoint(tmp_path), None, size)
        assert tokenizer.vocabulary.symbols == symbols
        assert tokenizer.decode(tokenizer.encode("TEN TONE")) == "TEN TONE"


def test_the_dictionary_that_fits_is_taken(tmp_path: Path):
    LETTERS.with_symbols("X", "Y").save(tmp_path / "dict.ltr.txt")
    LETTERS.save(tmp_path / "dict.txt")
    assert len(find_tokenizer(checkpoint(tmp_path), None, SIZE).vocabulary) == SIZE
    with pytest.raises(CheckpointError, match=r"needs its dictionary.*given: 13, 11 symbols, wanted 20"):
        find_tokenizer(checkpoint(tmp_path), None, 20)


@pytest.mark.parametrize("name", ["target_dictionary", "text_dictionary"])
def test_a_dictionary_that_the_checkpoint_keeps_is_enough(name: str):
    for kept in (LETTERS, LETTERS.with_symbols(MASK_SYMBOL)):
        tokenizer = find_tokenizer(checkpoint(**{name: kept}), None, SIZE)
        assert isinstance(tokenizer, CharacterTokenizer)
        assert tokenizer.vocabulary.symbols == (*LETTERS.symbols, MASK_SYMBOL)


def test_damaged_dictionaries_are_no_dictionaries():
    for symbols in (("<s>", "<pad>", "0"), (*LETTERS.symbols, "E"), ()):
        damaged = replace(checkpoint(), dictionaries={"text_dictionary": symbols})
        with pytest.raises(CheckpointError, match=r"needs its dictionary.*given: none.*dict\.ltr\.txt"):
            find_tokenizer(damaged, None, len(symbols))


def test_what_is_given_goes_before_what_stands_beside(tmp_path: Path):
    LETTERS.save(tmp_path / "dict.ltr.txt")
    own = Vocabulary("|abcdef")
    assert find_tokenizer(checkpoint(tmp_path), SymbolTokenizer(own), SIZE).vocabulary.symbols[4:] == (
        *"|abcdef",
        MASK_SYMBOL,
    )
    with pytest.raises(CheckpointError, match="given: 6 symbols, wanted 12"):
        find_tokenizer(checkpoint(tmp_path), SymbolTokenizer(Vocabulary("ab")), SIZE)


def test_what_is_given_may_not_contradict_the_checkpoint():
    other = SymbolTokenizer(Vocabulary("|ETAOXN"))
    with pytest.raises(CheckpointError, match=r"not the one that the checkpoint keeps.*given: 'X' where it has 'I'"):
        find_tokenizer(checkpoint(text_dictionary=LETTERS), other, SIZE)
    same = find_tokenizer(checkpoint(text_dictionary=LETTERS), SymbolTokenizer(LETTERS), SIZE)
    assert same.vocabulary.symbols == (*LETTERS.symbols, MASK_SYMBOL)


def test_letters_are_read_as_characters_and_phones_as_symbols():
    filled = Vocabulary([*"|ETA", "madeupword0000"])
    assert isinstance(find_tokenizer(checkpoint(), SymbolTokenizer(filled), len(filled)), CharacterTokenizer)
    tokenizer = find_tokenizer(checkpoint(), SymbolTokenizer(PHONES), len(PHONES))
    assert isinstance(tokenizer, SymbolTokenizer)
    assert tokenizer.encode("T SIL") == [6, 5]
    spaced = CharacterTokenizer(Vocabulary("_ab"), word_mark="_")
    found = find_tokenizer(checkpoint(), spaced, len(spaced.vocabulary) + 1)
    assert isinstance(found, CharacterTokenizer)
    assert found.word_mark == "_"


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 5))
def test_pieces_take_the_numbers_of_the_dictionary(shift: int):
    given = SentencePieceTokenizer.train(LINES)
    pieces = [symbol for symbol in given.vocabulary.symbols[4:] if symbol not in ADDED_SYMBOLS]
    kept = Vocabulary([*pieces[shift:], *pieces[:shift]])
    found = find_tokenizer(checkpoint(target_dictionary=kept), given, len(kept) + 1)
    assert isinstance(found, SentencePieceTokenizer)
    assert found.vocabulary.symbols == (*kept.symbols, MASK_SYMBOL)
    assert found.decode(found.encode(LINES[1])) == LINES[1]


def test_pieces_without_what_cuts_them_are_refused(tmp_path: Path):
    vocabulary = Vocabulary(["▁a", "b"])
    vocabulary.save(tmp_path / "dict.spm.txt")
    with pytest.raises(CheckpointError, match=r"cut into pieces.*--pieces"):
        find_tokenizer(checkpoint(tmp_path), None, len(vocabulary))
    assert dictionary_of_pieces(tmp_path / "model.pt") == tmp_path / "dict.spm.txt"
    assert dictionary_of_pieces(tmp_path / "elsewhere" / "model.pt") is None


UNITS = Vocabulary(str(number) for number in range(6))


@pytest.mark.parametrize("name", ["dict.km.txt", "dict.kmu.txt", "dict.phn.txt"])
def test_a_dictionary_of_other_units_is_refused(name: str, tmp_path: Path):
    check_units(checkpoint(tmp_path), 11)  # nothing beside it
    UNITS.save(tmp_path / name)
    for size in (10, 11):
        check_units(checkpoint(tmp_path), size)
    with pytest.raises(CheckpointError, match=rf"units beside.*given: 10 symbols, the model has 12.*{name}"):
        check_units(checkpoint(tmp_path), 12)
    kept = {"dictionaries.0": UNITS.with_symbols(MASK_SYMBOL).symbols}
    check_units(replace(checkpoint(tmp_path), dictionaries=kept), 11)
    kept = {"dictionaries.0": Vocabulary("012354").symbols}
    with pytest.raises(CheckpointError, match=r"given: '4' where it has '5', the model has 11"):
        check_units(replace(checkpoint(tmp_path), dictionaries=kept), 11)


def test_a_damaged_file_is_named(tmp_path: Path):
    (tmp_path / "dict.ltr.txt").write_text("A\n")
    with pytest.raises(VocabularyError, match=r"dict\.ltr\.txt, line 1"):
        find_tokenizer(checkpoint(tmp_path), None, 5)
