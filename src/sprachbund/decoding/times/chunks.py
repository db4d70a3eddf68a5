"""A long recording in chunks that a model takes: windows of one length, or stretches of speech cut at pauses.

The recording is read block by block; no more than a chunk of it, and what a block holds, is in memory at a time.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from sprachbund.errors import RecipeError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE
from sprachbund.signal.recordings import Blocks, Source
from sprachbund.signal.segments import iterate_audio
from sprachbund.signal.voice_activity import PADDING, Detector, speech_stretches

Cutting = Literal["pauses", "windows"]


@dataclass(frozen=True, kw_only=True)
class LongFormConfig:
    """How a long recording is cut.

    Raises:
        RecipeError: there is no such way or detector, or the lengths cannot be.
    """

    kind: Cutting = "pauses"
    chunk_seconds: float = 20.0  # longest chunk; of windows the length of each
    overlap_seconds: float = 4.0  # of two windows, and of two chunks where a speaker makes no pause
    detector: Detector = "energy"  # of pauses
    at_once: int = 4  # chunks that are transcribed side by side

    def __post_init__(self) -> None:
        for what, given, known in (("way to cut", self.kind, Cutting), ("detector", self.detector, Detector)):
            if given not in get_args(known):
                mend = f"Known are: {', '.join(get_args(known))}."
                raise RecipeError(f"there is no such {what} of recordings", given=given, mend=mend)
        if not 1.0 <= self.chunk_seconds < math.inf:
            raise RecipeError("a chunk has no such length", given=f"{self.chunk_seconds} s", mend="Give 1 s or more.")
        if not 0.0 <= self.overlap_seconds <= self.chunk_seconds / 2:
            mend = f"Give 0 to {self.chunk_seconds / 2:g} s, half of a chunk."
            raise RecipeError("chunks cannot overlap so", given=f"{self.overlap_seconds} s", mend=mend)
        if self.at_once < 1:
            raise RecipeError("at_once is too small", given=self.at_once, mend="Give at least 1.")


@dataclass(frozen=True, eq=False)
class Chunk:
    """A part of a recording."""

    first: int  # sample of the recording
    waveform: Float[Array, " sample"]

    @property
    def start(self) -> float:
        """Seconds."""
        return self.first / SAMPLING_RATE

    @property
    def end(self) -> float:
        """Seconds."""
        return (self.first + len(self.waveform)) / SAMPLING_RATE


def iterate_chunks(source: Source, config: LongFormConfig) -> Iterator[Chunk]:
    """The chunks of a recording in their order, 16 kHz; a chunk may overlap the next one, but none further on.

    Windows hold all of the recording; of a recording without speech there are no chunks between pauses.

    Raises:
        AudioError: there, or while chunks are read, the recording cannot be read.
        RecipeError: the detector's package is missing.
    """
    held = _Held(iterate_audio(source, config.chunk_seconds))
    return _windows(held, config) if config.kind == "windows" else _between_pauses(held, config)


class _Held:
    """The part of a recording that is in memory."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self.first = 0
        self.samples: Float[Array, " sample"] = np.zeros(0, dtype=np.float32)

    def fill(self, size: int) -> bool:
        """Read until there are more than `size` samples; whether there are."""
        while len(self.samples) <= size:
            block = next(self._blocks, None)
            if block is None:
                return False
            self.samples = np.concatenate([self.samples, block])
        return True

    def chunk(self, begin: int, end: int) -> Chunk:
        """A part of what is held."""
        return Chunk(self.first + begin, self.samples[begin:end].copy())

    def drop(self, count: int) -> None:
        """Forget the first `count` samples."""
        self.first += count
        self.samples = self.samples[count:].copy()


def _windows(held: _Held, config: LongFormConfig) -> Iterator[Chunk]:
    size, overlap = _sizes(config)
    goes_on = True
    while goes_on:
        goes_on = held.fill(size)
        yield held.chunk(0, min(size, len(held.samples)))
        held.drop(size - overlap)


def _between_pauses(held: _Held, config: LongFormConfig) -> Iterator[Chunk]:
    size, overlap = _sizes(config)
    padding = round(PADDING * SAMPLING_RATE)
    known = 0  # held samples that were in the chunk before
    goes_on = True
    while goes_on:
        goes_on = held.fill(size)
        stretches = speech_stretches(held.samples[:size], config.detector)
        # What a chunk before has heard to its end is no news.
        stretches = [(first, end) for first, end in stretches if end > known]
        if not stretches:
            # Speech may begin in the last moment.
            passed = size - padding
        elif goes_on and stretches[0][0] > padding:
            # Without the silence before it, more of the speech fits.
            passed = stretches[0][0]
        else:
            ends = [end for _, end in stretches if not goes_on or end + padding <= size]
            end = ends[-1] if ends else size
            yield held.chunk(stretches[0][0], end)
            passed = end if ends else size - overlap
            known = end
        known = max(0, known - passed)
        held.drop(passed)


def _sizes(config: LongFormConfig) -> tuple[int, int]:
    return round(config.chunk_seconds * SAMPLING_RATE), round(config.overlap_seconds * SAMPLING_RATE)
