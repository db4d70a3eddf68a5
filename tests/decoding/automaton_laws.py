"""What holds of every automaton, asked token by token."""

from collections.abc import Sequence

import torch

from sprachbund.decoding.language.automata import Automaton
from sprachbund.tokens.vocabulary import EOS

CPU = torch.device("cpu")


def sentence_score(automaton: Automaton, tokens: Sequence[int]) -> float:
    """The sum over tokens and the end."""
    states, total = automaton.start(1, CPU), 0.0
    for token in [*tokens, EOS]:
        total += float(automaton.log_probs(states)[0, token])
        states = automaton.advance(states, torch.tensor([token]))
    return total


def assert_rows_are_independent(automaton: Automaton, sentences: Sequence[Sequence[int]]) -> None:
    """Every row goes the way that it goes alone, whatever stands beside it and in which order."""
    longest = max(map(len, sentences))
    padded = torch.tensor([[*sentence, *[EOS] * (longest - len(sentence))] for sentence in sentences])
    states = automaton.start(len(sentences), CPU)
    alone = [automaton.start(1, CPU) for _ in sentences]
    for tokens in padded.unbind(1):
        together = automaton.log_probs(states)
        for row, state in enumerate(alone):
            assert torch.equal(automaton.log_probs(state)[0], together[row])
        order = torch.randperm(len(sentences), generator=torch.Generator().manual_seed(len(sentences)))
        assert torch.equal(automaton.log_probs(states[order]), together[order])
        states = automaton.advance(states, tokens)
        alone = [automaton.advance(state, token[None]) for state, token in zip(alone, tokens, strict=True)]
        assert torch.equal(states, torch.cat(alone))
