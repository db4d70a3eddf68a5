import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sprachbund.decoding.language.lexicon import NO_WORD, make_lexicon
from sprachbund.errors import VocabularyError
from sprachbund.models.ngram.model import SPECIAL_WORDS
from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer, TextTokenizer

LETTERS = CharacterTokenizer.train(["abcd'"])
PIECES = SentencePieceTokenizer.train(["abc abcd ab bad cab dab add", "a b c d"] * 3, vocab_size=22, model_type="bpe")
WORDS = st.lists(st.text("abcd", min_size=1, max_size=6), min_size=1, max_size=20, unique=True)


def lexicon_of(words, tokenizer: TextTokenizer = LETTERS, log_probs=None):
    listed = [*SPECIAL_WORDS, *words]
    given_probs = [-1.0 - place for place in range(len(words))] if log_probs is None else log_probs
    return listed, make_lexicon(listed, np.array([-1.0, -np.inf, -1.0, *given_probs]), tokenizer)


def node_of(lexicon, ids) -> int:
    node = torch.tensor([0])
    for token in ids:
        node = lexicon.follow(node, torch.tensor([token]))
    return int(node)


@given(WORDS, st.text("abcd", min_size=1, max_size=6), st.sampled_from([LETTERS, PIECES]))
@settings(deadline=None, max_examples=50)
def test_words_are_found_by_their_spelling(words, other, tokenizer) -> None:
    listed, lexicon = lexicon_of(words, tokenizer)
    assert lexicon.num_left_out == 0
    for word in [*words, other]:
        found = int(lexicon.words[node_of(lexicon, tokenizer.encode(word))])
        assert found == (listed.index(word) if word in words else NO_WORD)


@given(WORDS)
@settings(deadline=None, max_examples=50)
def test_the_prospect_is_the_best_word_below(words) -> None:
    _, lexicon = lexicon_of(words)
    for size in range(1, 7):
        for begun in {word[:size] for word in words if len(word) >= size}:
            best = max(-1.0 - place for place, word in enumerate(words) if word.startswith(begun))
            assert float(lexicon.prospects[node_of(lexicon, LETTERS.encode(begun))]) == best
    assert lexicon.prospects[0] == lexicon.prospects[lexicon.outside] == 0


def test_outside_is_for_good() -> None:
    _, lexicon = lexicon_of(["ab"])
    node = torch.tensor([node_of(lexicon, LETTERS.encode("b"))])
    assert int(node) == lexicon.outside
    for token in LETTERS.encode("ab"):
        assert int(lexicon.follow(node, torch.tensor([token]))) == lexicon.outside


def test_words_in_capitals_are_spelled_normalised_and_the_better_of_two_counts() -> None:
    listed, lexicon = lexicon_of(["AB", "ab", "Ab", "D-A"], log_probs=[-4.0, -2.0, -3.0, -1.0])
    assert listed[int(lexicon.words[node_of(lexicon, LETTERS.encode("ab"))])] == "ab"
    # It would be two words, which is none.
    assert lexicon.num_left_out == 1


def test_very_improbable_words_keep_their_prospects_finite() -> None:
    _, lexicon = lexicon_of(["ab", "c"], log_probs=[-1e9, -1.0])
    assert torch.isfinite(lexicon.prospects).all()


def test_another_language_is_refused() -> None:
    with pytest.raises(VocabularyError, match="1 of 4 words"):
        lexicon_of(["да", "нет", "может", "ab"])
    with pytest.raises(VocabularyError, match="0 of 0 words"):
        lexicon_of([])
