"""N-gram models as tensors: states are nodes of a trie, and backing off is a walk that all rows take together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from sprachbund.models.ngram.trie import ROOT, Trie, suffix_nodes, trie_keys
from sprachbund.shapes import Array, Float, Int, Tensor

UNKNOWN_WORD, SENTENCE_BEGIN, SENTENCE_END = "<unk>", "<s>", "</s>"
SPECIAL_WORDS = (UNKNOWN_WORD, SENTENCE_BEGIN, SENTENCE_END)
UNKNOWN, BEGIN, END = 0, 1, 2  # their ids

Level = Literal["words", "tokens"]


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Log-probabilities with backoff (Katz, 1987), as an ARPA file holds them.

    Every n-gram is a node of a trie. A state is the node of the longest end of the words so far that the model knows
    as a context; whatever comes next is decided by it.
    """

    words: tuple[str, ...]  # by id; `SPECIAL_WORDS` first
    counts: tuple[int, ...]  # how many n-grams of one word, of two and so on
    trie: Trie  # of words; node 1 + i is the word i alone
    log_probs: Float[Tensor, " ngram"]  # natural logarithms; of node i + 1
    backoffs: Float[Tensor, " state"]  # natural logarithms, 0 for the root and where nothing follows
    suffixes: Int[Tensor, " node"]  # the node of the longest true end
    level: Level | None = None  # what the words are, where that is known
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the model was made of

    @property
    def order(self) -> int:
        """Words of the longest n-grams."""
        return len(self.counts)

    @property
    def num_states(self) -> int:
        """Nodes that may be contexts: all but the longest n-grams."""
        return len(self.backoffs)

    @property
    def start_state(self) -> int:
        """The state at the beginning of a sentence."""
        return 1 + BEGIN if self.order > 1 else ROOT

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id by word."""
        return {word: place for place, word in enumerate(self.words)}

    def to(self, device: torch.device) -> "NgramModel":
        """The same on another device."""
        if self.log_probs.device == device:
            return self
        moved = (part.to(device) for part in (self.log_probs, self.backoffs, self.suffixes))
        log_probs, backoffs, suffixes = moved
        return replace(self, trie=self.trie.to(device), log_probs=log_probs, backoffs=backoffs, suffixes=suffixes)

    def step(
        self, states: Int[Tensor, " row"], words: Int[Tensor, " row"]
    ) -> tuple[Float[Tensor, " row"], Int[Tensor, " row"]]:
        """Log-probability of a word after each state, and the state behind it."""
        contexts = states
        nodes = self.trie.find(contexts, words)
        backed_off = torch.zeros(len(states), device=states.device)
        while bool((missing := nodes < 0).any()):
            backed_off = torch.where(missing, backed_off + self.backoffs[contexts], backed_off)
            contexts = torch.where(missing, self.suffixes[contexts].long(), contexts)
            nodes = torch.where(missing, self.trie.find(contexts, words), nodes)
        log_probs = backed_off + self.log_probs[nodes - 1]
        return log_probs, torch.where(nodes < self.num_states, nodes, self.suffixes[nodes].long())

    def word_log_probs(self) -> Float[Tensor, " word"]:
        """Log-probability of each word alone."""
        return self.log_probs[: len(self.words)]

    def next_log_probs(self, states: Int[Tensor, " row"]) -> Float[Tensor, "row word"]:
        """Log-probabilities of all words after each state; for vocabularies that are small enough for it."""
        contexts = [states]
        while bool((contexts[-1] != ROOT).any()):
            contexts.append(self.suffixes[contexts[-1]].long())
        log_probs = self.word_log_probs().repeat(len(states), 1)
        # From the shortest context to the longest: what a longer one says replaces what was backed off to.
        for context in reversed(contexts[:-1]):
            log_probs += self.backoffs[context][:, None]
            rows, words, nodes = self.trie.children(context)
            kept = context[rows] != ROOT
            log_probs[rows[kept], words[kept]] = self.log_probs[nodes[kept] - 1]
        return log_probs

    def sentence_log_prob(self, words: Sequence[str]) -> float:
        """Log-probability of a sentence, its end included; words that the model lacks are unknown ones."""
        states = torch.tensor([self.start_state], device=self.log_probs.device)
        total = 0.0
        for word in [*(self.ids.get(word, UNKNOWN) for word in words), END]:
            log_prob, states = self.step(states, torch.tensor([word], device=states.device))
            total += float(log_prob)
        return total


@dataclass(frozen=True, eq=False)
class NgramTable:
    """All n-grams of one length."""

    rows: Int[Array, "ngram length"]  # ids of words; sorted, each once
    log_probs: Float[Array, " ngram"]  # natural logarithms
    backoffs: Float[Array, " ngram"]  # natural logarithms; of the longest n-grams they mean nothing


def assemble(
    words: Sequence[str], tables: Sequence[NgramTable], *, level: Level | None = None, facts: Mapping[str, Any]
) -> NgramModel:
    """The model of n-grams by length; the first table has every word, and no n-gram lacks its beginning."""
    keys, orphans = trie_keys([table.rows for table in tables], len(words))
    assert not any(map(len, orphans)), "n-grams without their beginnings"
    suffixes = suffix_nodes(keys, len(words)).astype(np.int32)
    log_probs = np.concatenate([table.log_probs for table in tables]).astype(np.float32)
    # Unigram models have one state.
    backoffs = np.concatenate([np.zeros(1), *(table.backoffs for table in tables[:-1])]).astype(np.float32)
    return NgramModel(
        tuple(words),
        tuple(len(table.rows) for table in tables),
        Trie(torch.from_numpy(np.concatenate(keys)), len(words)),
        torch.from_numpy(log_probs),
        torch.from_numpy(backoffs),
        torch.from_numpy(suffixes),
        level,
        facts,
    )


def word_list_model(words: Sequence[str]) -> NgramModel:
    """A model that finds every word of a list and every end as good as certain (0), and all else impossible.

    It is no distribution: it says what may be written, not how likely it is.
    """
    listed = [*SPECIAL_WORDS, *sorted(set(words) - set(SPECIAL_WORDS))]
    log_probs = np.zeros(len(listed))
    log_probs[[UNKNOWN, BEGIN]] = -np.inf
    table = NgramTable(np.arange(len(listed))[:, None], log_probs, np.zeros(len(listed)))
    return assemble(listed, [table], level="words", facts={})
