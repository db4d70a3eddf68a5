import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sprachbund.decoding.language.symbol_map import SymbolMap
from sprachbund.errors import VocabularyError
from sprachbund.tokens.vocabulary import ADDED_SYMBOLS, EOS, UNK, Vocabulary

LETTERS = "abcdef"
RECOGNIZER = Vocabulary(("|", *LETTERS)).with_symbols(*ADDED_SYMBOLS)


def symbols_of(vocabulary: Vocabulary) -> list[str]:
    """Those of text."""
    return [s for i, s in enumerate(vocabulary.symbols) if i >= 4 and i not in vocabulary.added_ids]


@given(order=st.permutations(["|", *LETTERS, "x", "y"]), has_added=st.booleans())
def test_tokens_are_found_by_their_symbol(order: list[str], has_added: bool) -> None:
    model = Vocabulary(order).with_symbols(*(ADDED_SYMBOLS if has_added else ()))
    symbols = SymbolMap.by_symbol(RECOGNIZER, model)
    log_probs = torch.arange(2.0 * len(model)).view(2, -1)
    found = symbols.to_recognizer(log_probs)
    assert found.shape == (2, len(RECOGNIZER)) and symbols.lacking == ()
    for symbol in symbols_of(RECOGNIZER):
        token = RECOGNIZER.id_of(symbol)
        assert torch.equal(found[:, token], log_probs[:, model.id_of(symbol)])
        assert symbols.to_model(torch.tensor([token])).tolist() == [model.id_of(symbol)]
    assert torch.equal(found[:, EOS], log_probs[:, EOS])
    # Of the other specials, the mask and the blank nothing is said, even where the model has the same.
    others = [0, 1, 3, *RECOGNIZER.added_ids]
    assert (found[:, others] == -torch.inf).all()
    assert int(found.isfinite().sum()) == 2 * (len(symbols_of(RECOGNIZER)) + 1)
    assert symbols.to_model(torch.tensor([EOS, *others])).tolist() == [EOS, *[UNK] * len(others)]


def test_symbols_that_the_model_lacks_cannot_be_said_and_are_told() -> None:
    symbols = SymbolMap.by_symbol(RECOGNIZER, Vocabulary(("|", *"abcd")))
    assert symbols.lacking == ("e", "f")
    found = symbols.to_recognizer(torch.zeros(1, 9))
    lacking = [RECOGNIZER.id_of(symbol) for symbol in "ef"]
    assert (found[0, lacking] == -torch.inf).all()
    assert symbols.to_model(torch.tensor(lacking)).tolist() == [UNK, UNK]


def test_the_mark_of_words_may_be_another() -> None:
    model = Vocabulary(("▁", "▁a", *LETTERS))
    symbols = SymbolMap.by_symbol(RECOGNIZER, model)
    assert symbols.lacking == ()
    assert symbols.to_model(torch.tensor([RECOGNIZER.id_of("|")])).tolist() == [model.id_of("▁")]
    back = SymbolMap.by_symbol(model, Vocabulary(("|", "|a", *LETTERS)))
    assert back.lacking == () and back.to_model(torch.tensor([model.id_of("▁a")])).tolist() == [5]


@pytest.mark.parametrize("symbols", ["", "αβγδεζ", "abc", "ABCDEF|"], ids=["none", "greek", "few", "capitals"])
def test_a_model_of_another_vocabulary_is_refused(symbols: str) -> None:
    with pytest.raises(VocabularyError, match=r"language model of another vocabulary.*it lacks [4-7] of the 7 symbols"):
        SymbolMap.by_symbol(RECOGNIZER, Vocabulary(symbols))


def test_by_place_every_id_is_the_same() -> None:
    symbols = SymbolMap.by_place(6, 4)
    found = symbols.to_recognizer(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert found.tolist() == [[1.0, 2.0, 3.0, 4.0, -torch.inf, -torch.inf]]
    assert symbols.to_model(torch.arange(6)).tolist() == [0, 1, 2, 3, 3, 3]
