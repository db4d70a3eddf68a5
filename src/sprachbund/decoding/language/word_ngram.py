"""A word n-gram as an automaton over the recogniser's tokens: words are spelled, and scored when they end.

While a word is spelled, the best word that may still come of it is taken for granted (look-ahead by single words), so
that hypotheses amid a word compare fairly with those between words; the end of the word sets it right.
"""

from typing import Protocol, runtime_checkable

import torch

from sprachbund.decoding.language.lexicon import NO_WORD, make_lexicon
from sprachbund.decoding.language.token_ngram import text_ids
from sprachbund.errors import RecipeError
from sprachbund.models.ngram.model import END, UNKNOWN
from sprachbund.models.ngram.trie import ROOT
from sprachbund.shapes import Float, Int, Tensor
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import EOS

UNKNOWN_PENALTY = 10.0  # nats


@runtime_checkable
class WordModel(Protocol):
    """What is asked of a model of words; see `NgramModel`."""

    @property
    def words(self) -> tuple[str, ...]:
        """By id."""
        ...

    @property
    def start_state(self) -> int:
        """The state at the beginning of a sentence."""
        ...

    def to(self, device: torch.device) -> "WordModel":
        """The same on another device."""
        ...

    def word_log_probs(self) -> Float[Tensor, " word"]:
        """Log-probability of each word alone."""
        ...

    def step(
        self, states: Int[Tensor, " row"], words: Int[Tensor, " row"]
    ) -> tuple[Float[Tensor, " row"], Int[Tensor, " row"]]:
        """Log-probability of a word after each state, and the state behind it."""
        ...


class WordNgram:
    """See `Automaton`; a state is one of the model, and the node of the lexicon that the word in progress has reached.

    A word ends where the next one begins, or the sentence ends.

    Args:
        model: of words.
        tokenizer: the recogniser's; words count in the spelling that it gives them.
        unknown_penalty: nats taken off the log-probability of ``<unk>`` for a word that the model lacks; None where
            nothing but its words may be said.

    Raises:
        VocabularyError: the recogniser cannot spell most words of the model.
        RecipeError: the penalty is below 0 or no number.
    """

    def __init__(
        self, model: WordModel, tokenizer: TextTokenizer, *, unknown_penalty: float | None = UNKNOWN_PENALTY
    ) -> None:
        if unknown_penalty is not None and not 0 <= unknown_penalty < torch.inf:
            raise RecipeError(
                "the penalty of unknown words is no number from 0", given=unknown_penalty, mend="Give 10, for example."
            )
        self._model = model
        self._unknown_penalty = torch.inf if unknown_penalty is None else unknown_penalty
        # What the rest of an unknown word costs.
        self._unpaid = -torch.inf if unknown_penalty is None else 0.0
        self._lexicon = make_lexicon(model.words, model.word_log_probs().double().cpu().numpy(), tokenizer)
        textual = text_ids(tokenizer.vocabulary)
        starts = sorted(tokenizer.word_start_ids().intersection(textual))
        self._starts = torch.tensor(starts)
        self._is_boundary = torch.zeros(len(tokenizer.vocabulary), dtype=torch.bool)
        self._is_boundary[[*starts, EOS]] = True
        self._is_silent = torch.ones(len(tokenizer.vocabulary), dtype=torch.bool)
        self._is_silent[[*textual, EOS]] = False
        _, self._first_tokens, self._first_nodes = self._lexicon.trie.children(torch.tensor([ROOT]))

    @property
    def num_left_out(self) -> int:
        """Words of the model that the recogniser cannot spell."""
        return self._lexicon.num_left_out

    def start(self, num_rows: int, device: torch.device) -> Int[Tensor, "row part"]:
        """See `Automaton.start`."""
        self._model, self._lexicon = self._model.to(device), self._lexicon.to(device)
        for name in ("_starts", "_is_boundary", "_is_silent", "_first_tokens", "_first_nodes"):
            setattr(self, name, getattr(self, name).to(device))
        return torch.tensor([[self._model.start_state, ROOT]], device=device).repeat(num_rows, 1)

    def log_probs(self, states: Int[Tensor, "row part"]) -> Float[Tensor, "row vocab"]:
        """See `Automaton.log_probs`."""
        contexts, nodes = states.unbind(1)
        taken = self._lexicon.prospects[nodes]
        ended, after = self._end_word(contexts, nodes)
        # What leads out of the lexicon makes the word an unknown one, which is paid for once.
        leaves = torch.where(nodes == self._lexicon.outside, self._unpaid, self._unknown(contexts) - taken)
        scores = leaves[:, None].repeat(1, len(self._is_silent))
        scores[:, self._starts] = (ended + self._unknown(after))[:, None]
        scores[:, self._first_tokens] = ended[:, None] + self._lexicon.prospects[self._first_nodes]
        rows, tokens, children = self._lexicon.trie.children(nodes)
        within = nodes[rows] != ROOT
        rows, tokens, children = rows[within], tokens[within], children[within]
        scores[rows, tokens] = self._lexicon.prospects[children] - taken[rows]
        scores[:, EOS] = ended + self._model.step(after, torch.full_like(after, END))[0]
        return scores.masked_fill(self._is_silent, -torch.inf)

    def advance(self, states: Int[Tensor, "row part"], tokens: Int[Tensor, " row"]) -> Int[Tensor, "row part"]:
        """See `Automaton.advance`."""
        contexts, nodes = states.unbind(1)
        ends = self._is_boundary[tokens]
        after = torch.where(ends, self._end_word(contexts, nodes)[1], contexts)
        reached = self._lexicon.follow(torch.where(ends, ROOT, nodes), tokens)
        return torch.stack([after, reached], dim=1)

    def _end_word(
        self, contexts: Int[Tensor, " row"], nodes: Int[Tensor, " row"]
    ) -> tuple[Float[Tensor, " row"], Int[Tensor, " row"]]:
        """What the end of the word in progress adds to its row, and the state of the model behind it."""
        words = self._lexicon.words[nodes]
        is_unknown = words == NO_WORD
        log_probs, after = self._model.step(contexts, torch.where(is_unknown, UNKNOWN, words))
        log_probs = torch.where(is_unknown, log_probs - self._unknown_penalty, log_probs)
        ended = log_probs - self._lexicon.prospects[nodes]
        # Outside the lexicon the word is paid for already, and at the root there is none.
        ended = torch.where(nodes == self._lexicon.outside, self._unpaid, ended)
        return torch.where(nodes == ROOT, 0.0, ended), torch.where(nodes == ROOT, contexts, after)

    def _unknown(self, contexts: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
        """What an unknown word after each context scores."""
        return self._model.step(contexts, torch.full_like(contexts, UNKNOWN))[0] - self._unknown_penalty
