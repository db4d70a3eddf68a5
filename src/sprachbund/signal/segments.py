"""Long recordings in bounded memory: parts read by seeking, and the whole block by block."""

import math
from collections.abc import Iterator

from sprachbund.errors import AudioError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE, join_blocks, resample_blocks
from sprachbund.signal.recordings import Blocks, Source, gathered, open_recording, source_name

# Samples around a part, at the lower of the two rates, that the resampler hears as well: its filter is below 1e-7 of
# its peak from 100 on.
CONTEXT = 256


def read_segment(
    source: Source,
    start: float,
    duration: float,
    sampling_rate: int = SAMPLING_RATE,
    *,
    channel: int | None = None,
) -> Float[Array, " sample"]:
    """Read a part of a recording: ``read_audio(source)[a:b]`` without reading the rest.

    Formats of libsndfile are sought in; containers of PyAV and G.722 are decoded up to the part, a block at a time.
    The samples are the very same where the recording is at `sampling_rate`; resampled ones are within 1e-6 of full
    scale. Opus is the exception: its decoder starts anew at the part, and differs by some 1e-3.

    Args:
        source: a path, or the content of a file.
        start: seconds; the first sample is the one nearest to it.
        duration: seconds; the result is shorter where the recording ends before.
        sampling_rate: of the result, in hertz.
        channel: the only one to read, counted from 0; the average of all where None.

    Raises:
        AudioError: the recording cannot be read, or ends before the part begins.
    """
    first, count = round(start * sampling_rate), round(duration * sampling_rate)
    if first < 0 or count < 1:
        raise _nothing(source, start, duration)
    with open_recording(source, channel) as recording:
        rate = recording.sampling_rate
        begin, end = _native_span(first, count, rate, sampling_rate)
        blocks = _shortened(recording.blocks(begin), end - begin)
        resampled = join_blocks(resample_blocks(blocks, rate, sampling_rate))
    offset = first - begin * sampling_rate // rate
    waveform = resampled[offset : offset + count]
    if len(waveform) == 0:
        raise _nothing(source, start, duration)
    return waveform


def iterate_audio(
    source: Source, seconds: float, sampling_rate: int = SAMPLING_RATE
) -> Iterator[Float[Array, " sample"]]:
    """Read a recording from start to end in blocks of `seconds`, the last one shorter.

    One after another they are ``read_audio(source, sampling_rate)``, sample for sample. At any time no more than a few
    blocks and some MiB are in memory.

    Raises:
        AudioError: there, or while blocks are read, whatever `read_audio` would raise; or a block has no sample.
    """
    size = round(seconds * sampling_rate)
    if size < 1:
        raise AudioError("A block holds no sample", given=f"{seconds} s", mend="Ask for longer blocks.")
    with open_recording(source) as recording:
        is_empty = True
        for block in gathered(resample_blocks(recording.blocks(0), recording.sampling_rate, sampling_rate), size):
            is_empty = False
            yield block
    if is_empty:
        raise AudioError("The recording is empty", where=source_name(source), given="0 samples", mend="Leave it out.")


def _native_span(first: int, count: int, rate: int, wanted_rate: int) -> tuple[int, int]:
    """The samples of the recording, at its own rate, that samples ``first .. first + count`` at another are made of.

    The first of them is one where samples of both rates fall together.
    """
    if rate == wanted_rate:
        return first, first + count
    step = rate // math.gcd(rate, wanted_rate)
    margin = math.ceil(CONTEXT * rate / min(rate, wanted_rate))
    begin = max(0, first * rate // wanted_rate - margin) // step * step
    return begin, math.ceil((first + count) * rate / wanted_rate) + margin


def _shortened(blocks: Blocks, count: int) -> Blocks:
    for block in blocks:
        yield block[:count]
        count -= len(block)
        if count <= 0:
            return


def _nothing(source: Source, start: float, duration: float) -> AudioError:
    return AudioError(
        "The recording has nothing at this place",
        where=source_name(source),
        given=f"{duration:.3f} s from {start:.3f} s on",
        mend="Give a part that lies inside the recording.",
    )
