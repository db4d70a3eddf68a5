from dataclasses import replace

import pytest

from models.ngram.texts import model_of
from sprachbund.decoding.language.ngrams import ngram_automaton
from sprachbund.decoding.language.token_ngram import TokenNgram
from sprachbund.decoding.language.word_ngram import WordNgram
from sprachbund.models.ngram.model import word_list_model
from sprachbund.tokens.text import CharacterTokenizer

LETTERS = CharacterTokenizer.train(["abcdef"])


@pytest.mark.parametrize(("level", "kind"), [("tokens", TokenNgram), ("words", WordNgram), (None, TokenNgram)])
def test_the_level_decides_where_it_is_known(level: str | None, kind: type) -> None:
    model = replace(model_of([["a", "b"]], 2), level=level)
    assert type(ngram_automaton(model, LETTERS)) is kind


def test_words_that_are_no_tokens_make_it_a_model_of_words() -> None:
    model = replace(word_list_model(["a", "bad"]), level=None)
    assert type(ngram_automaton(model, LETTERS, unknown_penalty=None)) is WordNgram
