import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decoding.automaton_laws import CPU, sentence_score
from models.ngram.texts import SENTENCE, TEXT, model_of
from sprachbund.decoding.language.automata import Automaton, AutomatonScorer
from sprachbund.decoding.language.token_ngram import TokenNgram
from sprachbund.decoding.search.roles import Scorer
from sprachbund.tokens.vocabulary import EOS, Vocabulary

VOCABULARY = Vocabulary("abcde")


@given(TEXT, st.lists(SENTENCE, min_size=1, max_size=4))
@settings(deadline=None, max_examples=20)
def test_a_scorer_adds_up_to_the_automaton(text, sentences) -> None:
    automaton = TokenNgram(model_of(text, 3), VOCABULARY)
    scorer = AutomatonScorer(automaton, len(sentences), CPU)
    said = [VOCABULARY.ids_of(sentence) for sentence in sentences]
    alive, totals = list(range(len(said))), [0.0] * len(said)
    last = torch.full((len(said),), EOS)
    for step in range(1 + max(map(len, said))):
        log_probs = scorer.score(last)
        for row, place in enumerate(alive):
            totals[place] += float(log_probs[row, [*said[place], EOS][step]])
        # Finished rows leave, and the others change places.
        kept = [row for row, place in enumerate(alive) if len(said[place]) > step][::-1]
        scorer.reorder(torch.tensor(kept, dtype=torch.int64))
        alive = [alive[row] for row in kept]
        last = torch.tensor([said[place][step] for place in alive], dtype=torch.int64)
        if not alive:
            break
    torch.testing.assert_close(totals, [sentence_score(automaton, tokens) for tokens in said])


def test_protocols_are_kept() -> None:
    automaton = TokenNgram(model_of([["a"]], 2), VOCABULARY)
    assert isinstance(automaton, Automaton)
    assert isinstance(AutomatonScorer(automaton, 1, CPU), Scorer)
