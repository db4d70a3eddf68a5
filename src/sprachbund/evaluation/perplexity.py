"""How well a language model foretells held-out text, with bootstrap intervals over its lines.

Perplexities of a token are those of a vocabulary; bits of a character and perplexities of a word can be compared across
vocabularies. The end of a line counts as a token, a character and a word, as a model has to tell it too.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sprachbund.decoding.search.roles import Scorer
from sprachbund.errors import DataError
from sprachbund.evaluation.error_rates import NUM_RESAMPLES, interval, resampled_rates
from sprachbund.shapes import Array, Float, Int, Tensor
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import EOS

ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Perplexity:
    """What a language model makes of held-out text."""

    per_token: Estimate  # perplexity
    per_word: Estimate  # perplexity
    bits_per_character: Estimate
    nats: float  # of all known tokens together
    num_lines: int
    num_tokens: int  # known ones, ends of lines included
    num_characters: int  # all of them, with single spaces and ends of lines
    num_words: int  # all of them, with ends of lines
    unknown: Mapping[str, int]  # tokens that the model cannot say, or the tokenizer cannot write, with their counts


@dataclass(frozen=True)
class ScoredLine:
    """What a line costs."""

    nats: float  # of its known tokens
    num_tokens: int  # known ones, the end included
    unknown: tuple[int, ...]  # tokens of probability zero, which are left out


def measure_perplexity(
    make_scorer: Callable[[int], Scorer], lines: Sequence[str], tokenizer: TextTokenizer, *, seed: int = 0
) -> Perplexity:
    """The perplexity of text under anything that scores tokens; empty lines are left out.

    Args:
        make_scorer: a scorer of that many rows, over the tokens of `tokenizer`.
        lines: text, normalised as what the model is used on.
        tokenizer: whose tokens are scored; that of the recogniser.
        seed: of the resampling.

    Raises:
        DataError: there is no text, or the model knows nothing in it.
    """
    texts = [" ".join(line.split()) for line in lines]
    texts = [text for text in texts if text]
    scored = score_lines(make_scorer, [tokenizer.encode(text) for text in texts])
    nats = np.array([line.nats for line in scored], dtype=np.float64)
    counts = {
        "tokens": np.array([line.num_tokens for line in scored], dtype=np.int64),
        "characters": np.array([len(text) + 1 for text in texts], dtype=np.int64),
        "words": np.array([len(text.split()) + 1 for text in texts], dtype=np.int64),
    }
    if not texts or not counts["tokens"].any():
        raise DataError("there is no text to measure a language model on", mend="Give lines whose symbols it knows.")
    tokens, words, characters = (_per(nats, counts[unit], seed) for unit in ("tokens", "words", "characters"))
    unknown = Counter(tokenizer.vocabulary.symbol_of(token) for line in scored for token in line.unknown)
    return Perplexity(
        per_token=Estimate(*(_exp(bound) for bound in tokens)),
        per_word=Estimate(*(_exp(bound) for bound in words)),
        bits_per_character=Estimate(*(bound / math.log(2) for bound in characters)),
        nats=float(nats.sum()),
        num_lines=len(texts),
        num_tokens=int(counts["tokens"].sum()),
        num_characters=int(counts["characters"].sum()),
        num_words=int(counts["words"].sum()),
        unknown=dict(unknown.most_common()),
    )


@torch.no_grad()
def score_lines(make_scorer: Callable[[int], Scorer], lines: Sequence[Sequence[int]]) -> list[ScoredLine]:
    """What each line and its end cost, whatever other lines are scored beside it.

    Args:
        make_scorer: a scorer of that many rows.
        lines: ids, without the end.
    """
    scored: dict[int, ScoredLine] = {}
    # Lines of like length end together.
    order = sorted(range(len(lines)), key=lambda place: len(lines[place]))
    for start in range(0, len(order), ROWS_AT_ONCE):
        places = order[start : start + ROWS_AT_ONCE]
        rows = _score_rows(make_scorer(len(places)), [[*lines[place], EOS] for place in places])
        scored |= dict(zip(places, rows, strict=True))
    return [scored[place] for place in range(len(lines))]


def _score_rows(scorer: Scorer, lines: Sequence[Sequence[int]]) -> Iterator[ScoredLine]:
    """Lines with their ends; a line that has ended leaves the rows."""
    nats = [0.0] * len(lines)
    unknown: list[list[int]] = [[] for _ in lines]
    live, last = list(range(len(lines))), torch.full((len(lines),), EOS)
    for place in range(max(map(len, lines))):
        kept = [row for row, line in enumerate(live) if place < len(lines[line])]
        if len(kept) < len(live):
            scorer.reorder(torch.tensor(kept))
            live, last = [live[row] for row in kept], last[kept]
        wanted = torch.tensor([lines[line][place] for line in live])
        costs = _costs(scorer.score(last), wanted)
        for line, token, cost in zip(live, wanted.tolist(), costs, strict=True):
            if math.isfinite(cost):
                nats[line] += cost
            else:
                unknown[line].append(token)
        last = wanted
    for line, tokens in enumerate(lines):
        yield ScoredLine(nats[line], len(tokens) - len(unknown[line]), tuple(unknown[line]))


def _costs(log_probs: Float[Tensor, "row vocab"], wanted: Int[Tensor, " row"]) -> list[float]:
    costs: list[float] = (-log_probs.cpu().double().gather(1, wanted[:, None])[:, 0]).tolist()
    return costs


def _per(nats: Float[Array, " line"], counts: Int[Array, " line"], seed: int) -> tuple[float, float, float]:
    """Nats of a unit, and the interval."""
    # In one order, so that the seed and not the order of the lines decides what is drawn.
    order = np.lexsort((counts, nats))
    rates = resampled_rates(nats[order, None], counts[order], NUM_RESAMPLES, seed)[:, 0]
    rate = float(nats.sum() / counts.sum())
    return rate, *interval(rates, rate)


def _exp(nats: float) -> float:
    # A model that knows next to nothing may find a word less likely than any number says.
    return math.exp(nats) if nats < 700 else math.inf
