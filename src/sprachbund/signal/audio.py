"""Whole recordings to waveforms and back: any file that libsndfile reads, G.722 streams, and containers through PyAV.

`segments` reads parts of recordings, and long ones block by block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from sprachbund.errors import AudioError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Float
from sprachbund.signal.recordings import (
    CHUNK,
    G722_RATE,
    Blocks,
    Source,
    check_finite,
    check_present,
    is_g722,
    open_recording,
    source_name,
)

SAMPLING_RATE = 16000  # of every model in the package

SUBTYPES = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


@dataclass(frozen=True)
class AudioInfo:
    """What a recording holds, at its own sampling rate."""

    sampling_rate: int
    num_channels: int
    num_samples: int  # of each channel

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_samples / self.sampling_rate


def read_audio(source: Source, sampling_rate: int = SAMPLING_RATE) -> Float[Array, " sample"]:
    """Read a recording as one channel at `sampling_rate`, float32, full scale at 1.

    The memory it takes is that of the result and of one block, also where the recording has another rate.

    Args:
        source: a path, or the content of a file. A path that ends in ``.g722`` is read as a G.722 stream.
        sampling_rate: of the result, in hertz; the channels are averaged first.

    Returns:
        At least one sample. Resampling may overshoot full scale a little, as may files that hold floats. Containers
        that do not say how long they are (webm, ogg) are read as far as they go.

    Raises:
        AudioError: the file is missing, is not audio, is cut short, holds no sample, or holds samples that are not
            finite numbers; or it needs the extra ``containers``.
    """
    with open_recording(source) as recording:
        waveform = join_blocks(resample_blocks(recording.blocks(0), recording.sampling_rate, sampling_rate))
    if len(waveform) == 0:
        raise AudioError("The recording is empty", where=source_name(source), given="0 samples", mend="Leave it out.")
    return waveform


def probe_audio(source: Source) -> AudioInfo:
    """Tell the rate, channels and length of a recording; headers are believed, containers without one are decoded.

    Raises:
        AudioError: the recording cannot be read.
    """
    check_present(source)
    if is_g722(source):
        return AudioInfo(G722_RATE, num_channels=1, num_samples=2 * Path(str(source)).stat().st_size)
    with open_recording(source) as recording:
        num_samples = recording.num_samples or sum(map(len, recording.blocks(0)))
    if num_samples == 0:
        raise AudioError("The recording is empty", where=source_name(source), given="0 samples", mend="Leave it out.")
    return AudioInfo(recording.sampling_rate, recording.num_channels, num_samples)


def write_audio(path: Path, waveform: Float[Array, " sample"], sampling_rate: int = SAMPLING_RATE) -> None:
    """Write one channel, atomically: ``.wav`` and ``.flac`` as 16-bit, ``.ogg`` as Vorbis. More than 1 is clipped.

    Raises:
        AudioError: the suffix is another one, the waveform is empty, or it holds samples that are not finite.
    """
    if path.suffix.lower() not in SUBTYPES:
        known = ", ".join(SUBTYPES)
        raise AudioError("Unknown audio suffix", where=path, given=path.suffix, mend=f"Write one of {known}.")
    _check_samples(waveform, str(path))
    file_format, subtype = SUBTYPES[path.suffix.lower()]
    with (
        write_atomically(path) as handle,
        soundfile.SoundFile(handle, "w", sampling_rate, 1, subtype, format=file_format) as sound,
    ):
        # In parts, because the Vorbis encoder keeps a whole write on the stack.
        for start in range(0, len(waveform), CHUNK // 16):
            samples: Array = np.clip(waveform[start : start + CHUNK // 16], -1, 1).astype(np.float32)
            # libsndfile scales by 32767 when it writes but by 32768 when it reads, so 16-bit numbers are made here.
            if subtype == "PCM_16":
                samples = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
            sound.write(samples)


def resample(waveform: Float[Array, " sample"], from_rate: float, to_rate: float) -> Float[Array, " resampled"]:
    """Change the sampling rate (soxr, high quality); the same samples when the rates agree."""
    if from_rate == to_rate:
        return waveform
    resampled: Float[Array, " resampled"] = soxr.resample(waveform, from_rate, to_rate, quality="HQ")
    return resampled


def resample_blocks(blocks: Blocks, from_rate: int, to_rate: int) -> Iterator[Float[Array, " _"]]:
    """`resample` block by block: the blocks that come out, one after another, are what the whole would give."""
    if from_rate == to_rate:
        yield from blocks
        return
    resampler = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)


def join_blocks(blocks: Blocks) -> Float[Array, " sample"]:
    """One after another, without ever holding them twice."""
    # A bytearray grows in place, where a list of blocks would have to be copied.
    content = bytearray()
    for block in blocks:
        content += block.tobytes()
    return np.frombuffer(content, dtype=np.float32)


def _check_samples(waveform: Float[Array, " sample"], name: str) -> None:
    if sum(map(len, check_finite(iter([waveform]), name))) == 0:
        raise AudioError("The recording is empty", where=name, given="0 samples", mend="Leave it out.")
