"""How words are spelled in the recogniser's tokens, as a trie, and how good the best word below each node is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sprachbund.errors import VocabularyError
from sprachbund.models.ngram.model import SPECIAL_WORDS
from sprachbund.models.ngram.trie import ROOT, Trie, distinct, trie_keys
from sprachbund.shapes import Array, Float, Int, Tensor
from sprachbund.tokens.normalize import normalize_text
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import UNK

NO_WORD = -1
_LOWEST_PROSPECT = -100.0  # nats; what is added here is taken off again when the word ends, so it must be finite


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The spellings of words; the node behind the last one stands for what is spelled like no word."""

    trie: Trie  # of tokens; at the root no word has begun
    words: Int[Tensor, " node_and_outside"]  # the word that each node spells in full, `NO_WORD` where it spells none
    prospects: Float[
        Tensor, " node_and_outside"
    ]  # the best word's log-probability at or below each node; 0 at the root
    num_left_out: int  # words that these tokens cannot spell

    @property
    def outside(self) -> int:
        """The node of what is spelled like no word."""
        return self.trie.num_nodes

    def to(self, device: torch.device) -> "Lexicon":
        """The same on another device."""
        if self.words.device == device:
            return self
        return Lexicon(self.trie.to(device), self.words.to(device), self.prospects.to(device), self.num_left_out)

    def follow(self, nodes: Int[Tensor, " row"], tokens: Int[Tensor, " row"]) -> Int[Tensor, " row"]:
        """The node behind one more token each; outside the lexicon for good where none is."""
        children = self.trie.find(nodes, tokens)
        return torch.where(children < 0, self.outside, children)


def make_lexicon(words: Sequence[str], log_probs: Float[Array, " word"], tokenizer: TextTokenizer) -> Lexicon:
    """Spell words as the recogniser does.

    A word that the tokens cannot spell as it stands (HELLO) is spelled as it is normalised (hello). Of words with the
    same spelling the more probable one counts.

    Args:
        words: by id; the special ones are not spelled, nor are those that are impossible alone.
        log_probs: of each word alone, natural logarithms.
        tokenizer: the recogniser's.

    Raises:
        VocabularyError: most words cannot be spelled.
    """
    starts = tokenizer.word_start_ids()
    listed = [place for place, word in enumerate(words) if word not in SPECIAL_WORDS and log_probs[place] > -np.inf]
    spellings = [(place, ids) for place in listed if (ids := _spelling(words[place], tokenizer, starts))]
    if 2 * len(spellings) < len(listed) or not spellings:
        raise VocabularyError(
            "the recogniser cannot spell most words of the language model",
            given=f"{len(spellings)} of {len(listed)} words",
            mend="Take a model of the recogniser's language, whose words are written as its transcripts are.",
        )
    # The more probable word comes later and replaces the other.
    spellings.sort(key=lambda spelled: log_probs[spelled[0]])
    places = np.array([place for place, _ in spellings])
    lengths = np.array([len(ids) for _, ids in spellings])
    table = np.zeros((len(spellings), lengths.max()), dtype=np.int64)
    for row, (_, ids) in zip(table, spellings, strict=True):
        row[: len(ids)] = ids
    keys = _keys(table, lengths, len(tokenizer.vocabulary))
    trie = Trie(torch.from_numpy(np.concatenate(keys)), len(tokenizer.vocabulary))
    nodes = _nodes(trie, table, lengths)
    spelled = np.full(trie.num_nodes + 1, NO_WORD)
    spelled[nodes] = places
    prospects = _prospects(keys, nodes, log_probs[places], len(tokenizer.vocabulary))
    return Lexicon(trie, torch.from_numpy(spelled), torch.from_numpy(prospects), len(listed) - len(spellings))


def _spelling(word: str, tokenizer: TextTokenizer, starts: frozenset[int]) -> list[int] | None:
    for written in (word, normalize_text(word)):
        ids = tokenizer.encode(written)
        if ids and UNK not in ids and ids[0] in starts and not starts.intersection(ids[1:]):
            return ids
    return None


def _keys(table: Int[Array, "word token"], lengths: Int[Array, " word"], num_tokens: int) -> list[Int[Array, " _"]]:
    levels = []
    for length in range(1, table.shape[1] + 1):
        begun = table[lengths >= length, :length]
        order, starts = distinct(begun)
        levels.append(begun[order[starts]])
    return trie_keys(levels, num_tokens)[0]


def _nodes(trie: Trie, table: Int[Array, "word token"], lengths: Int[Array, " word"]) -> Int[Array, " word"]:
    nodes = torch.full((len(table),), ROOT)
    for place, tokens in enumerate(torch.from_numpy(table).unbind(1)):
        nodes = torch.where(torch.from_numpy(lengths > place), trie.find(nodes, tokens), nodes)
    found: Int[Array, " word"] = nodes.numpy()
    return found


def _prospects(
    keys: Sequence[Int[Array, " _"]], nodes: Int[Array, " word"], log_probs: Float[Array, " word"], num_tokens: int
) -> Float[Array, " node_and_outside"]:
    best = np.full(2 + sum(map(len, keys)), -np.inf, dtype=np.float32)
    np.maximum.at(best, nodes, log_probs.astype(np.float32))
    end = len(best) - 1
    for level in reversed(keys):
        np.maximum.at(best, level // num_tokens, best[end - len(level) : end])
        end -= len(level)
    # Nothing is said of a word that has not begun, or that is unknown already.
    best[[ROOT, -1]] = 0
    return best.clip(min=_LOWEST_PROSPECT)
