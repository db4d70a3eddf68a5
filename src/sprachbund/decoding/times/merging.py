"""Two transcripts of overlapping chunks made one: where both heard the same word, or between two words.

A word that the end of a chunk cuts in two is heard whole by the other chunk, if the overlap is as long as the word.
"""

from collections.abc import Sequence
from dataclasses import replace

from sprachbund.decoding.times.timestamps import WordTime

Words = Sequence[WordTime]
ROUNDING = 1e-6  # seconds: words that touch do not cut each other


def join_words(
    left: Words, right: Words, start: float, end: float
) -> tuple[tuple[WordTime, ...], tuple[WordTime, ...]]:
    """What to keep of the words before and of the words after, times absolute.

    Both keep to their own side of the word that both heard nearest to the middle of the overlap, or, where they agree
    on none, of the place nearest to it at which neither is inside of a word.

    Args:
        left: of the chunk before, which ends at `end`.
        right: of the chunk after, which begins at `start`.
        start: of the overlap, in seconds.
        end: of the overlap.
    """
    middle = (start + end) / 2
    shared = [
        (abs(_middle(one) + _middle(other) - 2 * middle), place, number)
        for place, one in enumerate(left)
        if one.end > start
        for number, other in enumerate(right)
        if other.start < end and _is_same(one, other)
    ]
    if shared:
        _, place, number = min(shared)
        kept, added = tuple(left[: place + 1]), tuple(right[number + 1 :])
    else:
        cut = _gap(left, right, start, end)
        kept = tuple(word for word in left if _middle(word) <= cut)
        added = tuple(word for word in right if _middle(word) > cut)
    return kept, tuple(_not_before(word, kept[-1].end) for word in added) if kept else added


def _is_same(one: WordTime, other: WordTime) -> bool:
    """Whether it is one word: times differ a little, and the same word may be said twice in a row."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    shorter = min(one.end - one.start, other.end - other.start)
    return one.word == other.word and shared > shorter / 2


def _gap(left: Words, right: Words, start: float, end: float) -> float:
    """The place in the overlap nearest to its middle at which no word is cut, or where one is cut least deep."""
    middle, words = (start + end) / 2, [*left, *right]
    edges = [edge for word in words for edge in (word.start, word.end) if start <= edge <= end]

    def cost(place: float) -> tuple[float, float]:
        depth = max((min(place - word.start, word.end - place) for word in words), default=0.0)
        return max(depth - ROUNDING, 0.0), abs(place - middle)

    return min([middle, start, end, *edges], key=cost)


def _middle(word: WordTime) -> float:
    return (word.start + word.end) / 2


def _not_before(word: WordTime, time: float) -> WordTime:
    # The two chunks may tell slightly different times of the words at the seam.
    return replace(word, start=max(word.start, time), end=max(word.end, time))
