import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.automaton_laws import CPU, assert_rows_are_independent, sentence_score
from models.ngram.texts import ALL_WORDS, SENTENCE, TEXT, model_of
from sprachbund.decoding.language.token_ngram import TokenNgram, text_ids
from sprachbund.errors import VocabularyError
from sprachbund.tokens.vocabulary import EOS, Vocabulary

# Another order than the model's, a token that it lacks, and the added symbols.
VOCABULARY = Vocabulary(["c", "x", "a", "b", "e", "d"]).with_symbols("<mask>", "<ctc_blank>")


@given(TEXT, st.integers(1, 5), SENTENCE)
@settings(deadline=None, max_examples=20)
def test_a_sentence_scores_what_the_model_gives_it(text, order, said) -> None:
    model = model_of(text, order)
    automaton = TokenNgram(model, VOCABULARY)
    wanted = model.sentence_log_prob(said)
    assert sentence_score(automaton, VOCABULARY.ids_of(said)) == pytest.approx(wanted, abs=1e-4)


@given(TEXT, st.integers(1, 4), st.lists(SENTENCE.filter(bool), min_size=1, max_size=5))
@settings(deadline=None, max_examples=15)
def test_rows_are_independent(text, order, sentences) -> None:
    assert_rows_are_independent(TokenNgram(model_of(text, order), VOCABULARY), list(map(VOCABULARY.ids_of, sentences)))


def test_what_the_model_cannot_say() -> None:
    automaton = TokenNgram(model_of([["a", "b"]], 2), VOCABULARY)
    log_probs = automaton.log_probs(automaton.start(2, CPU))
    impossible = {VOCABULARY.symbol_of(token) for token in range(len(VOCABULARY)) if torch.isinf(log_probs[0, token])}
    assert impossible == {"<s>", "<pad>", "<unk>", "x", "<mask>", "<ctc_blank>"}
    # It goes on all the same, as behind an unknown word.
    states = automaton.advance(automaton.start(1, CPU), torch.tensor([VOCABULARY.id_of("x")]))
    assert torch.isfinite(automaton.log_probs(states)[0, EOS])


def test_the_tokens_of_text() -> None:
    assert [VOCABULARY.symbol_of(token) for token in text_ids(VOCABULARY)] == ["c", "x", "a", "b", "e", "d"]


def test_a_model_of_another_vocabulary_is_refused() -> None:
    other = Vocabulary([*"щюяжф", *ALL_WORDS[3:5]])
    with pytest.raises(VocabularyError, match=r"it knows 2 of 7 tokens"):
        TokenNgram(model_of([["a"]], 2), other)
    with pytest.raises(VocabularyError, match="another vocabulary"):
        TokenNgram(model_of([["a"]], 2), Vocabulary())
