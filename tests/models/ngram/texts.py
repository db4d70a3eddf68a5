"""Small random texts, and models of them."""

from collections.abc import Sequence

import torch
from hypothesis import strategies as st

from sprachbund.models.ngram.counts import NgramCounter
from sprachbund.models.ngram.kneser_ney import kneser_ney
from sprachbund.models.ngram.model import SPECIAL_WORDS, NgramModel, assemble

WORDS = ("a", "b", "c", "d", "e")
ALL_WORDS = (*SPECIAL_WORDS, *WORDS)
SENTENCE = st.lists(st.sampled_from(WORDS), max_size=7)
# Some words are rare and one is never there, as in real text.
TEXT = st.lists(st.lists(st.sampled_from("aaaabbcd"), min_size=1, max_size=7), min_size=1, max_size=25)


def counter_of(sentences: Sequence[Sequence[str]], order: int, block: int = 1 << 20) -> NgramCounter:
    counter = NgramCounter(order, block=block)
    ids = {word: place for place, word in enumerate(ALL_WORDS)}
    counter.add([[ids.get(word, 0) for word in sentence] for sentence in sentences])
    return counter


def model_of(sentences: Sequence[Sequence[str]], order: int, prune: Sequence[int] = ()) -> NgramModel:
    tables, _ = kneser_ney(counter_of(sentences, order).counts(), len(ALL_WORDS), prune)
    return assemble(ALL_WORDS, tables, level="words", facts={})


def state_after(model: NgramModel, words: Sequence[str], *, begins: bool = True) -> torch.Tensor:
    """The state after words, at the begin of a sentence or, with `begins` off, amid nothing known."""
    states = torch.tensor([model.start_state if begins else 0])
    for word in words:
        states = model.step(states, torch.tensor([model.ids[word]]))[1]
    return states
