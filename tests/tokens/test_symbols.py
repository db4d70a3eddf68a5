from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.errors import VocabularyError
from sprachbund.tokens.phones import phone_symbols, phone_vocabulary
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import TextTokenizer, load_tokenizer
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, UNK, Vocabulary

PHONES = SymbolTokenizer(phone_vocabulary(places=False).with_symbols(*ADDED_SYMBOLS))
lines = st.lists(st.sampled_from(phone_symbols(places=False)), max_size=12)


@given(lines, st.sampled_from([" ", "  ", "\t "]))
def test_decoding_undoes_encoding(symbols: list[str], space: str) -> None:
    ids = PHONES.encode(space.join(symbols))
    assert len(ids) == len(symbols)
    assert UNK not in ids
    assert PHONES.decode(ids) == " ".join(symbols)


def test_what_is_no_text_is_left_out_and_what_is_unknown_shown() -> None:
    ids = PHONES.encode("HH QQ AH QQ")
    added = PHONES.vocabulary.added_ids
    assert PHONES.decode([0, *ids, *added, 2, 1]) == "HH ⁇ AH ⁇"
    assert PHONES.unknown("HH QQ AH QQ") == {"QQ": 2}


def test_every_symbol_stands_alone() -> None:
    starts = PHONES.word_start_ids()
    assert set(PHONES.encode("SIL HH AH SIL")) <= starts
    assert not starts & PHONES.vocabulary.added_ids


def test_a_saved_tokenizer_is_loaded_as_it_was(tmp_path: Path) -> None:
    units = SymbolTokenizer(Vocabulary([str(unit) for unit in range(20)]))
    assert isinstance(units, TextTokenizer)
    units.save(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert isinstance(loaded, SymbolTokenizer)
    assert loaded.vocabulary == units.vocabulary
    assert loaded.encode("17 17 3") == [21, 21, 7]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.json", "vocabulary.txt"]


@pytest.mark.parametrize("symbol", ["a b", " ", "a\u00a0", "\t"])
def test_symbols_that_no_text_could_have_are_refused(symbol: str) -> None:
    with pytest.raises(VocabularyError, match="white space"):
        SymbolTokenizer(Vocabulary(["a", symbol]))
