import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.automaton_laws import CPU, assert_rows_are_independent, sentence_score
from sprachbund.decoding.language.automata import Automaton
from sprachbund.decoding.language.word_ngram import WordModel, WordNgram
from sprachbund.errors import RecipeError
from sprachbund.models.ngram.counts import NgramCounter
from sprachbund.models.ngram.kneser_ney import kneser_ney
from sprachbund.models.ngram.model import SPECIAL_WORDS, NgramModel, assemble, word_list_model
from sprachbund.tokens.symbols import SymbolTokenizer
from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer
from sprachbund.tokens.vocabulary import EOS, Vocabulary

# Words that begin other words, and one that is spelled with two pieces.
WORDS = ("a", "ab", "abc", "b", "ba", "cab")
LETTERS = CharacterTokenizer.train(["abcd"])
PIECES = SentencePieceTokenizer.train(["abc ab a b ba cab d"] * 3, vocab_size=19, model_type="bpe")
SYMBOLS = SymbolTokenizer(Vocabulary([*WORDS, "d"]).with_symbols("<mask>", "<ctc_blank>"))
TOKENIZERS = st.sampled_from([LETTERS, PIECES, SYMBOLS])
TEXT = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), min_size=1, max_size=10)
KNOWN = st.lists(st.sampled_from(WORDS), max_size=5)
ANY = st.lists(st.sampled_from([*WORDS, "d", "abd", "ca", "dd"]), max_size=5)


def model_of(text: list[list[str]], order: int) -> NgramModel:
    words = [*SPECIAL_WORDS, *WORDS]
    counter = NgramCounter(order)
    counter.add([[words.index(word) for word in line] for line in text])
    return assemble(words, kneser_ney(counter.counts(), len(words))[0], level="words", facts={})


@given(TEXT, st.integers(1, 4), KNOWN, TOKENIZERS, st.sampled_from([None, 0.0, 10.0]))
@settings(deadline=None, max_examples=30)
def test_a_sentence_scores_what_the_model_gives_it(text, order, said, tokenizer, penalty) -> None:
    model = model_of(text, order)
    automaton = WordNgram(model, tokenizer, unknown_penalty=penalty)
    found = sentence_score(automaton, tokenizer.encode(" ".join(said)))
    assert found == pytest.approx(model.sentence_log_prob(said), abs=1e-4)


@given(TEXT, st.integers(1, 4), ANY, st.sampled_from([0.0, 2.5, 10.0]))
@settings(deadline=None, max_examples=30)
def test_an_unknown_word_scores_as_one_less_the_penalty(text, order, said, penalty) -> None:
    model = model_of(text, order)
    automaton = WordNgram(model, LETTERS, unknown_penalty=penalty)
    num_unknown = sum(word not in WORDS for word in said)
    wanted = model.sentence_log_prob(said) - penalty * num_unknown
    assert sentence_score(automaton, LETTERS.encode(" ".join(said))) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 2.5])
def test_a_token_that_begins_no_word_of_the_model_begins_an_unknown_one(penalty: float) -> None:
    model = model_of([["a", "b"], ["ab", "a"]], 3)
    automaton = WordNgram(model, SYMBOLS, unknown_penalty=penalty)
    for said in (["d"], ["a", "d", "b"], ["d", "d"]):
        wanted = model.sentence_log_prob(said) - penalty * said.count("d")
        assert sentence_score(automaton, SYMBOLS.encode(" ".join(said))) == pytest.approx(wanted, abs=1e-4)


@given(TEXT, ANY)
@settings(deadline=None, max_examples=30)
def test_a_closed_lexicon_says_nothing_else(text, said) -> None:
    automaton = WordNgram(model_of(text, 2), LETTERS, unknown_penalty=None)
    score = sentence_score(automaton, LETTERS.encode(" ".join(said)))
    assert not math.isnan(score)
    assert math.isinf(score) == any(word not in WORDS for word in said)


@given(TEXT, st.integers(1, 3), st.lists(ANY.filter(bool), min_size=1, max_size=5), st.sampled_from([None, 10.0]))
@settings(deadline=None, max_examples=12)
def test_rows_are_independent(text, order, sentences, penalty) -> None:
    automaton = WordNgram(model_of(text, order), LETTERS, unknown_penalty=penalty)
    assert_rows_are_independent(automaton, [LETTERS.encode(" ".join(said)) for said in sentences])


@given(TEXT, st.lists(st.sampled_from(range(len(LETTERS.vocabulary))), max_size=12), st.sampled_from([None, 10.0]))
@settings(deadline=None, max_examples=30)
def test_any_tokens_at_all_have_a_score(text, tokens, penalty) -> None:
    automaton = WordNgram(model_of(text, 3), LETTERS, unknown_penalty=penalty)
    states = automaton.start(1, CPU)
    for token in tokens:
        log_probs = automaton.log_probs(states)
        assert not log_probs.isnan().any()
        assert log_probs[0, [0, 1, 3, *LETTERS.vocabulary.added_ids]].isinf().all()
        states = automaton.advance(states, torch.tensor([token]))


def test_within_a_word_the_best_that_may_come_of_it_is_taken_for_granted() -> None:
    model = model_of([["ab"], ["ab"], ["abc"], ["cab"]], 2)
    alone = dict(zip(model.words, model.word_log_probs().tolist(), strict=True))
    automaton = WordNgram(model, LETTERS, unknown_penalty=None)
    scores, states = [], automaton.start(1, CPU)
    for token in LETTERS.encode("abc"):
        scores.append(float(automaton.log_probs(states)[0, token]))
        states = automaton.advance(states, torch.tensor([token]))
    assert scores[0] == pytest.approx(max(alone[word] for word in WORDS))
    assert scores[0] + scores[1] == pytest.approx(max(alone[word] for word in ("a", "ab", "abc")))
    assert sum(scores) == pytest.approx(alone["abc"])


def test_a_word_list_allows_its_words_and_nothing_else() -> None:
    automaton = WordNgram(word_list_model(["ab", "cab"]), LETTERS, unknown_penalty=None)
    assert sentence_score(automaton, LETTERS.encode("ab cab ab")) == 0
    assert sentence_score(automaton, []) == 0
    for other in ("a", "ab ca", "abc", "d"):
        assert sentence_score(automaton, LETTERS.encode(other)) == -math.inf
    allowed = automaton.log_probs(automaton.start(1, CPU))[0] == 0
    assert allowed.nonzero()[:, 0].tolist() == [EOS, LETTERS.vocabulary.id_of("|")]


def test_words_that_cannot_be_spelled_are_counted() -> None:
    model = word_list_model(["ab", "щю", "cab"])
    automaton = WordNgram(model, LETTERS)
    assert automaton.num_left_out == 1
    assert isinstance(automaton, Automaton)
    assert isinstance(model, WordModel)


@pytest.mark.parametrize("penalty", [-1.0, math.inf, math.nan])
def test_penalties_are_numbers_from_zero(penalty: float) -> None:
    with pytest.raises(RecipeError, match="penalty"):
        WordNgram(word_list_model(["ab"]), LETTERS, unknown_penalty=penalty)
