"""Word and character error rates with bootstrap intervals, and the paired comparison of two systems.

Errors are counted by jiwer, an utterance at a time, so that everything here works on plain counts. Intervals resample
utterances (Bisani & Ney, 2004), which are the independent observations; the words of one utterance are not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sprachbund.errors import DataError
from sprachbund.shapes import Array, Float, Int, Shaped

NUM_RESAMPLES = 2000
CONFIDENCE = 0.95
# Counts of a resample are drawn for this many (resample, utterance) pairs at once: 32 MB.
_DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class ErrorCounts:
    """The edits that turn a reference into a hypothesis, in words or in characters."""

    substitutions: int
    insertions: int
    deletions: int
    hits: int

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.insertions + self.deletions

    @property
    def length(self) -> int:
        """Words or characters of the reference."""
        return self.substitutions + self.deletions + self.hits


@dataclass(frozen=True)
class ErrorRate:
    """An error rate of a test set, and the 95 % bootstrap interval over its utterances."""

    rate: float  # errors / length; may be above 1.0
    low: float
    high: float
    errors: int
    length: int  # words or characters of all references


@dataclass(frozen=True)
class PairedDifference:
    """How much higher the error rate of system A is than that of system B on the same utterances."""

    difference: float  # rate of A - rate of B: negative where A is better
    low: float
    high: float
    p: float  # two-sided: how often resampling alone would turn the sign

    @property
    def is_shown(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Baseline:
    """What answering the commonest training line to everything would score."""

    line: str
    occurrences: int  # of the line in the training texts
    wer: ErrorRate
    cer: ErrorRate
    words: tuple[ErrorCounts, ...]  # of each reference, in their order
    characters: tuple[ErrorCounts, ...]


def count_word_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Edits of words; words are what white space separates."""
    import jiwer

    output = jiwer.process_words(_single_spaced(reference), _single_spaced(hypothesis))
    return ErrorCounts(output.substitutions, output.insertions, output.deletions, output.hits)


def count_character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Edits of characters; a space between words is one, spaces around the text are none."""
    import jiwer

    output = jiwer.process_characters(_single_spaced(reference), _single_spaced(hypothesis))
    return ErrorCounts(output.substitutions, output.insertions, output.deletions, output.hits)


def error_rate(counts: Sequence[ErrorCounts], *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> ErrorRate:
    """The rate of a test set, all errors over all reference words or characters, and its 95 % interval.

    The interval is the bootstrap's percentiles, widened where needed to hold the rate itself, which the percentiles of
    very few utterances can miss. The order of the utterances does not matter. References of no length at all count as
    length 1, so that a rate stays a number.

    Raises:
        DataError: there is no utterance.
    """
    errors, lengths = _columns(counts)
    # In one order, so that the seed and not the order of the utterances decides what is drawn.
    order = np.lexsort((lengths, errors))
    rates = resampled_rates(errors[order, None], lengths[order], num_resamples, seed)[:, 0]
    rate = float(_rates(errors.sum(), lengths.sum()))
    low, high = interval(rates, rate)
    return ErrorRate(rate, low, high, int(errors.sum()), int(lengths.sum()))


def paired_bootstrap(
    errors_a: Sequence[int],
    errors_b: Sequence[int],
    lengths: Sequence[int],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> PairedDifference:
    """Compare two systems on the same utterances: both are resampled together.

    Args:
        errors_a: errors of system A in each utterance.
        errors_b: errors of system B in the same utterances.
        lengths: words or characters of each reference.
        num_resamples: the more, the finer the interval.
        seed: of the resampling.

    Raises:
        DataError: there is no utterance, or the three do not have one entry for each.
    """
    if not len(errors_a) == len(errors_b) == len(lengths):
        raise DataError(
            "two systems can only be compared on the same utterances",
            given=f"{len(errors_a)} and {len(errors_b)} utterances, {len(lengths)} references",
            mend="Evaluate both on one test set.",
        )
    if not len(lengths):
        raise _no_utterances()
    pairs = np.stack([np.asarray(errors_a, dtype=np.int64), np.asarray(errors_b, dtype=np.int64)], axis=1)
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.lexsort((sizes, pairs[:, 1], pairs[:, 0]))
    rates = resampled_rates(pairs[order], sizes[order], num_resamples, seed)
    differences = rates[:, 0] - rates[:, 1]
    total = _rates(pairs.sum(axis=0), sizes.sum())
    difference = float(total[0] - total[1])
    low, high = interval(differences, difference)
    # One is added to both counts: the data itself is one more resample, and no p is ever 0.
    smaller_side = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, 2 * (smaller_side + 1) / (num_resamples + 1))
    return PairedDifference(difference, low, high, p)


def commonest_line_baseline(
    train_texts: Iterable[str], references: Sequence[str], *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Baseline:
    """The error rates of a system that hears nothing and always answers the commonest training line.

    A trained model has to beat this before it can be said to have learned to listen. Of equally common lines the
    longest is taken, then the first in the alphabet.

    Raises:
        DataError: there is no training text or no reference.
    """
    occurrences = Counter(train_texts)
    if not occurrences:
        raise DataError("there is no training text", mend="Give the texts that the model was trained on.")
    line, count = min(occurrences.items(), key=lambda item: (-item[1], -len(item[0]), item[0]))
    words = tuple(count_word_errors(reference, line) for reference in references)
    characters = tuple(count_character_errors(reference, line) for reference in references)
    return Baseline(
        line=line,
        occurrences=count,
        wer=error_rate(words, num_resamples=num_resamples, seed=seed),
        cer=error_rate(characters, num_resamples=num_resamples, seed=seed),
        words=words,
        characters=characters,
    )


def _single_spaced(text: str) -> str:
    return " ".join(text.split())


def _columns(counts: Sequence[ErrorCounts]) -> tuple[Int[Array, " utterance"], Int[Array, " utterance"]]:
    """Errors and lengths of every utterance."""
    if not counts:
        raise _no_utterances()
    errors = np.array([count.errors for count in counts], dtype=np.int64)
    return errors, np.array([count.length for count in counts], dtype=np.int64)


def _no_utterances() -> DataError:
    return DataError("there is no utterance to evaluate", mend="Give at least one reference and its hypothesis.")


def _rates(errors: np.ndarray | np.int64, lengths: np.ndarray | np.int64) -> np.ndarray:
    return np.asarray(errors / np.maximum(lengths, 1))


def resampled_rates(
    errors: Shaped[Array, "utterance system"], lengths: Int[Array, " utterance"], num_resamples: int, seed: int
) -> Float[Array, "resample system"]:
    """Rates of test sets drawn with replacement from the utterances: errors, or other costs, over lengths."""
    columns = np.concatenate([errors, lengths[:, None]], axis=1).astype(np.float64)
    sums = np.concatenate([drawn @ columns for drawn in _draw(len(lengths), num_resamples, seed)])
    return _rates(sums[:, :-1], sums[:, -1:])


def _draw(num_utterances: int, num_resamples: int, seed: int) -> Iterator[Float[Array, "resample utterance"]]:
    """How often each utterance is drawn in each resample, in pieces that fit the memory."""
    generator = np.random.default_rng(seed)
    shares = np.full(num_utterances, 1 / num_utterances)
    at_once = max(1, _DRAWS_AT_ONCE // num_utterances)
    for start in range(0, num_resamples, at_once):
        size = min(at_once, num_resamples - start)
        yield generator.multinomial(num_utterances, shares, size=size).astype(np.float64)


def interval(resampled: Float[Array, " resample"], estimate: float) -> tuple[float, float]:
    """The middle 95 %, widened to hold the estimate."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return min(float(low), estimate), max(float(high), estimate)
