"""When tokens and words were said: their times, and which tokens say which word."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from sprachbund.decoding.ctc.confidence import word_confidence
from sprachbund.decoding.hypothesis import Hypothesis
from sprachbund.lengths import samples_per_frame
from sprachbund.shapes import Int, Tensor
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.tokens.text import TextTokenizer
from sprachbund.tokens.vocabulary import BOS, EOS, PAD, UNK

FRAME_SECONDS = samples_per_frame() / SAMPLING_RATE  # between two frames of an encoder of the family
MARGIN = 0.04
"""Seconds by which a word is longer at both ends than the path of its tokens.

A path gives a letter the frames inside of its sound, mostly one or two; its edges lie about as far outside again.
Chosen on Steel Sky dev, where starts came 50 ms late and ends 20 ms early by CTC, 20 and 30 by attention.
"""


@dataclass(frozen=True)
class TokenTime:
    """When a token was said, in seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class WordTime:
    """A word of a transcript and when it was said, in seconds."""

    word: str
    start: float
    end: float
    confidence: float | None = None  # from 0 to 1; None where none was computed


@dataclass(frozen=True)
class WordSpan:
    """Which tokens say a word: from `first` up to the one before `end`."""

    word: str
    first: int
    end: int


def times_of_hypotheses(
    tokenizer: TextTokenizer,
    hypotheses: Sequence[Hypothesis],
    times: Sequence[Sequence[TokenTime]],
    lengths: Int[Tensor, " batch"],
) -> list[tuple[WordTime, ...]]:
    """The words of every utterance in time, in order, without overlap, inside the recording.

    Args:
        tokenizer: of the tokens.
        hypotheses: one an utterance.
        times: of the tokens of each.
        lengths: valid frames.
    """
    return [
        widened(word_times(tokenizer, hypothesis.tokens, spoken, hypothesis.confidences), MARGIN, num_frames)
        for hypothesis, spoken, num_frames in zip(hypotheses, times, lengths.tolist(), strict=True)
    ]


def word_times(
    tokenizer: TextTokenizer, tokens: Sequence[int], times: Sequence[TokenTime], confidences: Sequence[float] = ()
) -> tuple[WordTime, ...]:
    """The words of a transcript in time: from the start of a word's first token to the end of its last.

    Args:
        tokenizer: of the tokens.
        tokens: the transcript.
        times: one a token, in order and without overlap.
        confidences: one a token, or none; those of a word's tokens make one by `word_confidence`.
    """
    words = list[WordTime]()
    for span in word_spans(tokenizer, tokens):
        # A piece may hold the end of one word and the whole of the next; they still do not overlap.
        start = max(times[span.first].start, words[-1].end if words else 0.0)
        end = max(times[span.end - 1].end, start)
        confidence = word_confidence(confidences[span.first : span.end]) if confidences else None
        words.append(WordTime(span.word, start, end, confidence))
    return tuple(words)


def word_spans(tokenizer: TextTokenizer, tokens: Sequence[int]) -> list[WordSpan]:
    """The words of ``tokenizer.decode(tokens).split()``, each with the tokens that say it.

    Tokens without text, such as a word mark that stands alone, belong to no word where they stand at its edges.
    """
    # A special symbol opens no word: what is before and after it may be one.
    begins = tokenizer.word_start_ids() - {BOS, PAD, EOS, UNK}
    places = [place for place, token in enumerate(tokens) if token in begins and place > 0]
    return [
        span
        for first, end in pairwise([0, *places, len(tokens)])
        for span in _spans_of_group(tokenizer, tokens[first:end], first)
    ]


def widened(words: Sequence[WordTime], margin: float, num_frames: int) -> tuple[WordTime, ...]:
    """Words that begin and end `margin` seconds further out, inside the recording; a gap too short is shared evenly."""
    if not words:
        return ()
    # Half of each gap, the whole of the outer ones.
    inner = [(after.start - before.end) / 2 for before, after in pairwise(words)]
    gaps = [words[0].start, *inner, max(num_frames * FRAME_SECONDS - words[-1].end, 0.0)]
    return tuple(
        replace(word, start=word.start - min(margin, before), end=word.end + min(margin, after))
        for word, (before, after) in zip(words, pairwise(gaps), strict=True)
    )


def even_times(num_tokens: int, num_frames: int) -> tuple[TokenTime, ...]:
    """Tokens side by side over all frames: of those whose places are not known."""
    seconds = num_frames * FRAME_SECONDS
    edges = [seconds * place / max(num_tokens, 1) for place in range(num_tokens + 1)]
    return tuple(TokenTime(start, end) for start, end in pairwise(edges))


def _spans_of_group(tokenizer: TextTokenizer, group: Sequence[int], offset: int) -> Iterator[WordSpan]:
    """The words of tokens that hardly ever say more than one."""
    words = tokenizer.decode(group).split()
    if not words:
        return
    # Where each word begins, seen by how many words there are up to a token.
    counts = [len(tokenizer.decode(group[: place + 1]).split()) for place in range(len(group))]
    firsts = [bisect_left(counts, number) for number in range(1, len(words) + 1)]
    spoken = [place for place, token in enumerate(group) if tokenizer.decode([token])]
    for word, first, after in zip(words, firsts, [*firsts[1:], len(group)], strict=True):
        last = max((place for place in spoken if first <= place < after), default=first)
        yield WordSpan(word, offset + first, offset + last + 1)
