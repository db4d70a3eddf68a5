"""Modified Kneser-Ney smoothing (Chen and Goodman, 1999, section 3), interpolated, with three discounts a length.

As KenLM's lmplz defines it: n-grams that begin a sentence keep their own counts at every length, the begin of the
sentence itself is never predicted, and the mass that single words leave is shared evenly by all of them and `<unk>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sprachbund.models.ngram.counts import Counts
from sprachbund.models.ngram.model import BEGIN, NgramTable
from sprachbund.models.ngram.trie import suffix_nodes, trie_keys
from sprachbund.shapes import Array, Bool, Float, Int

FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Discounts:
    """What is taken off the counts of n-grams of one length."""

    values: tuple[float, float, float]  # off counts of one, of two, of three and more
    reason: str | None = None  # why they are not estimated, where they are not

    @classmethod
    def estimate(cls, adjusted: Int[Array, " ngram"]) -> "Discounts":
        """From how many n-grams have the counts 1 to 4 (Chen and Goodman, equation 26)."""
        one, two, three, four = (int((adjusted == count).sum()) for count in (1, 2, 3, 4))
        for count, number in ((1, one), (2, two), (3, three)):
            if not number:
                return cls(FALLBACK, f"no n-gram has the count {count}")
        share = one / (one + 2 * two)
        ratios = (two / one, three / two, four / three)
        values = [count - (count + 1) * share * ratio for count, ratio in enumerate(ratios, start=1)]
        for count, value in enumerate(values, start=1):
            if not 0 <= value <= count:
                return cls(FALLBACK, f"the estimate for the count {count} is {value:.2f}")
        return cls((values[0], values[1], values[2]))

    def of(self, adjusted: Int[Array, " ngram"]) -> Float[Array, " ngram"]:
        """The discount of each count."""
        taken: Float[Array, " ngram"] = np.array([0.0, *self.values])[adjusted.clip(max=3)]
        return taken


@dataclass(frozen=True, eq=False)
class AdjustedCounts:
    """N-grams of one length; the lower ones count what stands before them, not how often they occur."""

    rows: Int[Array, "ngram length"]
    numbers: Int[Array, " ngram"]  # how often each occurs
    adjusted: Int[Array, " ngram"]


def adjust(counts: Counts, num_words: int) -> list[AdjustedCounts]:
    """Adjusted counts by length, single words first; of single words there are all, those that never occur with 0."""
    levels = [AdjustedCounts(counts.rows, counts.numbers, counts.numbers)]
    while counts.rows.shape[1] > 1:
        counts, before = counts.ends()
        # Nothing stands before the begin of a sentence.
        adjusted = np.where(counts.rows[:, 0] == BEGIN, counts.numbers, before)
        levels.append(AdjustedCounts(counts.rows, counts.numbers, adjusted))
    return [_every_word(levels[-1], num_words), *(_without_padding(level) for level in levels[-2::-1])]


def _every_word(level: AdjustedCounts, num_words: int) -> AdjustedCounts:
    numbers, adjusted = np.zeros((2, num_words), dtype=np.int64)
    numbers[level.rows[:, 0]], adjusted[level.rows[:, 0]] = level.numbers, level.adjusted
    return AdjustedCounts(np.arange(num_words, dtype=np.int32)[:, None], numbers, adjusted)


def _without_padding(level: AdjustedCounts) -> AdjustedCounts:
    """A sentence begins once."""
    kept = level.rows[:, 1] != BEGIN
    return AdjustedCounts(level.rows[kept], level.numbers[kept], level.adjusted[kept])


def kneser_ney(counts: Counts, num_words: int, prune: Sequence[int] = ()) -> tuple[list[NgramTable], list[Discounts]]:
    """The n-grams of a model with their log-probabilities and backoffs, by length, and the discounts that were taken.

    Args:
        counts: of the longest n-grams.
        num_words: words of the vocabulary, special ones included.
        prune: by length, single words first: n-grams that occur this often at most are left out, and their share goes
            to the backoff. The last number holds for all longer ones. Numbers do not fall, and the first is 0.
    """
    levels = adjust(counts, num_words)
    limits = [*prune, *[prune[-1] if prune else 0] * len(levels)]
    kept = [level.numbers > limit for level, limit in zip(levels, limits, strict=False)]
    kept[0] = np.ones(num_words, dtype=bool)
    keys, _ = trie_keys([level.rows for level in levels], num_words)
    suffixes = suffix_nodes(keys, num_words)
    discounts = [Discounts.estimate(level.adjusted) for level in levels]
    # The context of single words is the root, and they share what is left evenly.
    probabilities, backoffs, first = [np.zeros(1)], [], 0
    for level, own_keys, is_kept, taken in zip(levels, keys, kept, discounts, strict=True):
        contexts, begin = own_keys // num_words - first, first + len(probabilities[-1])
        own, left = _discounted(level.adjusted, taken, is_kept, contexts, len(probabilities[-1]))
        ends = suffixes[begin : begin + len(own)] - first
        shorter = probabilities[-1][ends] if begin > 1 else np.full(num_words, 1 / (num_words - 1))
        probabilities.append(own + left[contexts] * shorter)
        backoffs.append(left)
        first = begin
    probabilities[1][BEGIN] = 0  # once nothing is backed off to it any more
    backoffs = [*backoffs[1:], np.ones(len(probabilities[-1]))]
    with np.errstate(divide="ignore"):
        tables = [
            NgramTable(level.rows[is_kept], np.log(probability[is_kept]), np.log(backoff[is_kept]))
            for level, probability, backoff, is_kept in zip(levels, probabilities[1:], backoffs, kept, strict=True)
        ]
    return tables, discounts


def _discounted(
    adjusted: Int[Array, " ngram"],
    discounts: Discounts,
    is_kept: Bool[Array, " ngram"],
    contexts: Int[Array, " ngram"],
    num_contexts: int,
) -> tuple[Float[Array, " ngram"], Float[Array, " context"]]:
    """The share of each n-gram in its context, and what is left of each context for the shorter one."""
    # Of what is left out, everything is taken off.
    taken = np.where(is_kept, discounts.of(adjusted), adjusted)
    total = np.bincount(contexts, weights=adjusted, minlength=num_contexts)
    left = np.bincount(contexts, weights=taken, minlength=num_contexts)
    # A context that nothing follows leaves everything.
    backoffs = np.divide(left, total, out=np.ones(num_contexts), where=total > 0)
    return (adjusted - taken) / total[contexts], backoffs
