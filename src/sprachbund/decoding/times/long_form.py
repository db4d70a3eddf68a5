"""Recordings of any length, transcribed chunk by chunk in bounded memory; words come as soon as they are final."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol, runtime_checkable

from sprachbund.decoding.times.chunks import Chunk, LongFormConfig, iterate_chunks
from sprachbund.decoding.times.merging import join_words
from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.shapes import Array, Float
from sprachbund.signal.recordings import Source


@runtime_checkable
class TimedTranscript(Protocol):
    """What is asked of a transcript."""

    @property
    def words(self) -> tuple[WordTime, ...] | None:
        """Its words in time; they were asked for."""
        ...


Recognize = Callable[[Sequence[Float[Array, " _"]]], Sequence[TimedTranscript]]
"""Waveforms of 16 kHz to transcripts with times, one each."""


@dataclass(frozen=True)
class LongPart:
    """What was said in one chunk; parts follow each other and do not overlap."""

    start: float  # seconds of the recording
    end: float
    words: tuple[WordTime, ...]  # with times of the recording

    @property
    def text(self) -> str:
        """Its words, parted by spaces."""
        return " ".join(word.word for word in self.words)


@dataclass(frozen=True)
class LongTranscript:
    """What was said in a long recording."""

    parts: tuple[LongPart, ...]

    @property
    def words(self) -> tuple[WordTime, ...]:
        """All words in time."""
        return tuple(word for part in self.parts for word in part.words)

    @property
    def text(self) -> str:
        """All words, parted by spaces."""
        return " ".join(word.word for word in self.words)


def transcribe_long(recognize: Recognize, source: Source, config: LongFormConfig | None = None) -> LongTranscript:
    """The whole transcript of a long recording; see `iterate_long`."""
    return LongTranscript(tuple(iterate_long(recognize, source, config)))


def iterate_long(recognize: Recognize, source: Source, config: LongFormConfig | None = None) -> Iterator[LongPart]:
    """The parts of a long recording, each as soon as no later chunk can change it.

    A recording that fits into one window is transcribed whole. Chunks cut at pauses are transcribed as they are, so
    their words are those of the chunks alone; the words of chunks that overlap are joined.

    Args:
        recognize: transcribes `config.at_once` chunks at a time.
        source: a path, or the content of a file.
        config: how the recording is cut.

    Raises:
        AudioError: there, or while parts are made, the recording cannot be read.
        RecipeError: the detector's package is missing.
    """
    config = config or LongFormConfig()
    pending: LongPart | None = None
    for part in _heard(recognize, iterate_chunks(source, config), config.at_once):
        if pending is None:
            pending = part
            continue
        before, pending = _joined(pending, part)
        yield before
    if pending is not None:
        yield pending


def _heard(recognize: Recognize, chunks: Iterator[Chunk], at_once: int) -> Iterator[LongPart]:
    """The chunks transcribed, with times of the recording."""
    while group := list(islice(chunks, at_once)):
        for chunk, transcript in zip(group, recognize([chunk.waveform for chunk in group]), strict=True):
            assert transcript.words is not None, "times were asked for"
            words = tuple(
                replace(word, start=chunk.start + word.start, end=chunk.start + word.end) for word in transcript.words
            )
            yield LongPart(chunk.start, chunk.end, words)


def _joined(left: LongPart, right: LongPart) -> tuple[LongPart, LongPart]:
    """Two neighbours without their overlap, if there is one."""
    if right.start >= left.end:
        return left, right
    kept, added = join_words(left.words, right.words, right.start, left.end)
    # The seam is at the last word kept; where none reaches into the overlap, where the overlap begins.
    seam = max(kept[-1].end if kept else right.start, right.start)
    return replace(left, end=seam, words=kept), replace(right, start=seam, words=added)
