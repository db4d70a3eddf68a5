"""Which frames and channels are masked: spans drawn in collation, from generators that belong to rows, not to workers.

Masks are numpy arrays made before the model runs, so that the number of masked frames of a whole optimizer step is
known in advance. `RandomState` is used on purpose: numpy promises that its streams never change.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import RandomState

from sprachbund.shapes import Array, Bool, Int


@dataclass(frozen=True, kw_only=True)
class SpanMasking:
    """How spans are drawn (wav2vec 2.0, section 3.1; HuBERT, section II-B); the defaults are SpeechT5's."""

    probability: float = 0.8  # expected masked positions as a share of the row, if no spans overlapped
    length: int = 10  # positions of a span
    min_masks: int = 2  # spans of a row at least
    equal_counts: bool = True  # thin every row to the masked positions of the row that has the fewest, as published
    uniform_lengths: bool = False  # span lengths uniform over 0 .. 2 * length instead of fixed
    may_overlap: bool = True
    min_space: int = 1  # unmasked positions between two spans that may not overlap


def derived_seed(seed: int, step: int, cut_id: str, purpose: str) -> int:
    """A seed below 2**63 that depends on all four and on nothing else: not on the worker, the rank or a restart.

    Args:
        seed: of the run.
        step: optimizer step, or epoch.
        cut_id: the utterance or line; the empty string for a choice of the whole batch.
        purpose: what is drawn, such as ``time_mask``, so that two choices for one row are independent.
    """
    return int.from_bytes(_digest(seed, step, cut_id, purpose)[:8], "little") >> 1


def row_generator(seed: int, step: int, cut_id: str, purpose: str) -> RandomState:
    """The generator of one choice for one row; see `derived_seed`."""
    return RandomState(np.frombuffer(_digest(seed, step, cut_id, purpose), dtype="<u4"))


def time_mask(
    lengths: Int[Array, " batch"], num_frames: int, config: SpanMasking, generators: Sequence[RandomState]
) -> Bool[Array, "batch frame"]:
    """Draw the masked frames of each row from its own generator, in valid frames only.

    Args:
        lengths: valid frames of each row.
        num_frames: of the padded batch.
        config: how spans are drawn.
        generators: one for each row.
    """
    rows = [
        _draw_row(int(length), _draw_count(int(length), config, generator), config, generator)
        for length, generator in zip(lengths, generators, strict=True)
    ]
    return _as_mask(rows, num_frames, config, generators)


def channel_mask(
    num_channels: int, config: SpanMasking, generators: Sequence[RandomState]
) -> Bool[Array, "batch channel"]:
    """Draw the masked channels of each row; one generator for each row."""
    return time_mask(np.full(len(generators), num_channels), num_channels, config, generators)


def published_mask(
    batch_size: int,
    num_frames: int,
    config: SpanMasking,
    generator: RandomState,
    lengths: Int[Array, " batch"] | None = None,
) -> Bool[Array, "batch frame"]:
    """The masks that the original code draws from one generator for the whole batch, in its order of draws.

    Without `lengths`, that is without padding, all rows have the same number of spans.
    """
    count = _draw_count(num_frames, config, generator)  # drawn by the original even where it is not used
    rows = []
    for row in range(batch_size):
        length = num_frames if lengths is None else int(lengths[row])
        row_count = count if lengths is None else _draw_count(length, config, generator)
        rows.append(_draw_row(length, row_count, config, generator))
    return _as_mask(rows, num_frames, config, [generator] * batch_size)


def codebook_positions(num_frames: int, probability: float, generator: RandomState) -> Bool[Array, " frame"]:
    """True at the ``int(num_frames * probability)`` positions replaced by their code (SpeechT5, section 2.3).

    The same positions serve every row of a batch.
    """
    positions = np.zeros(num_frames, dtype=bool)
    positions[generator.permutation(num_frames)[: int(num_frames * probability)]] = True
    return positions


def _digest(seed: int, step: int, cut_id: str, purpose: str) -> bytes:
    text = "\0".join((str(seed), str(step), purpose, cut_id))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _draw_count(size: int, config: SpanMasking, generator: RandomState) -> int:
    """Spans of a row: the fraction left over is settled by chance."""
    return max(config.min_masks, int(config.probability * size / config.length + generator.rand()))


def _draw_row(size: int, count: int, config: SpanMasking, generator: RandomState) -> Int[Array, " masked"]:
    """The masked positions of one row in order, all below `size`."""
    if count == 0 or size <= 0:
        return np.zeros(0, dtype=np.int64)
    spans = np.full(count, config.length)
    if config.uniform_lengths:
        spans = generator.randint(0, 2 * config.length + 1, size=count)
    if not spans.any():
        spans[0] = min(config.length, size - 1)
    starts, spans = (_place_freely if config.may_overlap else _place_apart)(size, spans, config.min_space, generator)
    marked = np.zeros(size, dtype=bool)
    for start, span in zip(starts, spans, strict=True):
        marked[start : start + span] = True
    return np.flatnonzero(marked)


def _place_freely(
    size: int, spans: Int[Array, " span"], _: int, generator: RandomState
) -> tuple[Int[Array, " span"], Int[Array, " span"]]:
    """Starts without replacement; the shortest span fits, longer ones may be cut by the end of the row."""
    shortest = int(spans.min())
    if size - shortest <= len(spans):  # a row too short for so many starts: let spans be cut
        shortest = size - len(spans) - 1
    return generator.choice(size - shortest, len(spans), replace=False), spans


def _place_apart(
    size: int, spans: Int[Array, " span"], min_space: int, generator: RandomState
) -> tuple[Int[Array, " placed"], Int[Array, " placed"]]:
    """Longest spans first, each in a gap chosen in proportion to its width; stops when no gap is wide enough."""
    gaps, shortest = [(0, size)], int(spans.min())
    starts: list[int] = []
    placed: list[int] = []
    for span in sorted(spans.tolist(), reverse=True):
        widths = np.array(
            [end - start if end - start >= span + min_space else 0 for start, end in gaps], dtype=np.int64
        )
        if not widths.any():
            break
        begin, end = gaps.pop(generator.choice(len(gaps), p=widths / widths.sum()))
        start = generator.randint(begin, end - span)
        starts.append(start)
        placed.append(span)
        if start - begin - min_space >= shortest:
            gaps.append((begin, start - min_space + 1))
        if end - start - span - min_space > shortest:
            gaps.append((start + span + min_space, end))
    return np.array(starts, dtype=np.int64), np.array(placed, dtype=np.int64)


def _as_mask(
    rows: Sequence[Int[Array, " _"]], num_frames: int, config: SpanMasking, generators: Sequence[RandomState]
) -> Bool[Array, "batch frame"]:
    mask = np.zeros((len(rows), num_frames), dtype=bool)
    fewest = min(map(len, rows), default=0)
    for row, (positions, generator) in enumerate(zip(rows, generators, strict=True)):
        if config.equal_counts and len(positions) > fewest:
            positions = generator.choice(positions, fewest, replace=False)
        mask[row, positions] = True
    return mask
