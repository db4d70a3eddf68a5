"""Opened recordings: blocks of samples at their own rate, from any sample on, whatever the format.

libsndfile reads what it can and seeks; PyAV reads G.722 streams and containers, which are decoded up to the first
sample asked for. One block is in memory at a time.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sprachbund.errors import AudioError
from sprachbund.files import is_file, is_folder
from sprachbund.shapes import Array, Float

Source = Path | str | bytes  # a path, or the content of a file

G722_SUFFIX = ".g722"  # a stream without a header: only its name tells, and each byte holds two samples
G722_RATE = 16000
CHUNK = 1 << 20  # numbers read at once, so that a lying header cannot ask for all the memory
ENDLESS = 1 << 48
CUT_WAV = re.compile(r"^\s*data : (\d+) \(should be (\d+)\)", re.MULTILINE)  # in libsndfile's log of the header
ENDLESS_WAV = 0x7FFF0000
LONGEST_MPEG_FRAME = 3000  # bytes, of any layer and rate, and a little more
PLAUSIBLE_RATES = range(1000, 1_000_001)
# Playlists and other formats that name further files or addresses stay closed.
CONTAINERS = "aac,ac3,aiff,amr,asf,avi,caf,eac3,flac,flv,g722,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,wav,webm"
INSTALL_CONTAINERS = "install the extra with `pip install sprachbund[containers]`"

Blocks = Iterator[Float[Array, " _"]]


@dataclass(frozen=True)
class OpenRecording:
    """A recording whose samples have not been read yet.

    `blocks` takes the first sample wanted and gives the samples from there on, one channel, at the recording's own
    rate; nothing where the recording ends before it. Only the blocks of one call can be read.
    """

    sampling_rate: int
    num_channels: int
    num_samples: int | None  # as the header says; None where it does not
    blocks: Callable[[int], Blocks]


class _Content(io.BytesIO):
    """Bytes to read; a damaged header may send libsndfile before their start, where it then stays as in a file."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


@contextmanager
def open_recording(source: Source, channel: int | None = None) -> Iterator[OpenRecording]:
    """Open a file or its content: libsndfile first, PyAV where it must.

    Args:
        source: a path, or the content of a file. A path that ends in ``.g722`` is a G.722 stream.
        channel: the only one to read, counted from 0; the average of all where None.

    Raises:
        AudioError: there, or while blocks are read: the file is missing, is not audio, is cut short, or holds samples
            that are not finite numbers; or it needs the extra ``containers``.
    """
    check_present(source)
    reason = ""
    if not is_g722(source):
        try:
            opened = soundfile.SoundFile(_Content(source) if isinstance(source, bytes) else str(source))
        except (soundfile.SoundFileError, TypeError, ValueError) as error:  # the latter two for suffixes such as .raw
            reason = getattr(error, "error_string", str(error))
        else:
            with opened as sound:
                if sound.frames < ENDLESS:
                    yield _of_soundfile(sound, source, channel)
                    return
            # A FLAC stream that was written through a pipe; soundfile stumbles over its end.
            reason = "the header does not say how long it is"
    with _open_container(source, reason) as container:
        yield _of_container(container, source, reason, channel)


def source_name(source: Source) -> str:
    """What errors call it."""
    return "the given bytes" if isinstance(source, bytes) else str(source)


def is_g722(source: Source) -> bool:
    """Whether the name says that it is a G.722 stream."""
    return not isinstance(source, bytes) and Path(source).suffix.lower() == G722_SUFFIX


def check_present(source: Source) -> None:
    """Refuse a path without a readable file.

    Raises:
        AudioError: there is none.
    """
    if isinstance(source, bytes):
        return
    path = Path(source)
    if not is_file(path):
        what = "The path is a folder, not a recording" if is_folder(path) else "No such recording"
        raise AudioError(what, where=path, mend="Give the path of an audio file.")
    if not os.access(path, os.R_OK):
        raise AudioError("The recording may not be read", where=path, mend="Change its permissions.")


def check_finite(blocks: Blocks, name: str) -> Blocks:
    """The same blocks up to the first sample that is not a finite number.

    Raises:
        AudioError: there is such a sample; the rest is read to say how many there are.
    """
    place = count = 0
    first, value = 0, 0.0
    for block in blocks:
        finite = np.isfinite(block)
        if not finite.all():
            if count == 0:
                offset = int(np.argmin(finite))
                first, value = place + offset, float(block[offset])
            count += int(np.count_nonzero(~finite))
        if count == 0:
            yield block
        place += len(block)
    if count:
        given, mend = f"{value} at sample {first}, {count} in all", "Replace or remove these samples."
        raise AudioError("The recording holds samples that are not numbers", where=name, given=given, mend=mend)


def _of_soundfile(sound: Any, source: Source, channel: int | None) -> OpenRecording:
    name = source_name(source)
    _check_kind(sound.samplerate, sound.channels, channel, name)

    def blocks(first: int) -> Blocks:
        return check_finite(_soundfile_blocks(sound, source, first, channel), name)

    num_samples = None if _is_guessed(sound, source) else int(sound.frames) or None
    return OpenRecording(sound.samplerate, sound.channels, num_samples, blocks)


def _soundfile_blocks(sound: Any, source: Source, first: int, channel: int | None) -> Blocks:
    name = source_name(source)
    size = max(1, CHUNK // sound.channels)
    try:
        place = _seek(sound, first)
        while len(part := sound.read(size, dtype="float32", always_2d=True)):
            block = part.mean(axis=1, dtype=np.float32) if channel is None else part[:, channel].copy()
            yield from _after(first - place, block)
            place += len(part)
    except soundfile.SoundFileError as error:
        mend = "Copy or download it again."
        raise AudioError("The recording is damaged or cut short", where=name, given=error, mend=mend) from error
    announced = _announced_samples(sound, source)
    if place < announced:
        given = f"{place} of {announced} samples"
        raise AudioError("The recording is cut short", where=name, given=given, mend="Copy or download it again.")


def _seek(sound: Any, first: int) -> int:
    """Go to sample `first` where the format can and the file has it; returns the sample that comes next."""
    if first == 0 or not sound.seekable():
        return 0
    try:
        return int(sound.seek(first))
    except soundfile.SoundFileError:
        # Beyond the end, or damaged: read from the start.
        return int(sound.seek(0))


def _after(samples: int, block: Float[Array, " sample"]) -> Blocks:
    """What is left of a block without its first samples, if anything is."""
    if samples <= 0:
        yield block
    elif samples < len(block):
        yield block[samples:]


def _announced_samples(sound: Any, source: Source) -> int:
    """Samples a channel that the header promises; 0 where it promises none."""
    if _is_guessed(sound, source):
        return 0
    if cut := CUT_WAV.search(sound.extra_info):
        promised, found = int(cut[1]), int(cut[2])
        # A wav that was written through a pipe promises all that 32 (or 31) bits can hold.
        return 0 if promised >= ENDLESS_WAV or found <= 0 else round(sound.frames * promised / found)
    return int(sound.frames)


def _is_guessed(sound: Any, source: Source) -> bool:
    """Whether the length is libsndfile's guess from the size of the file: of MPEG streams that do not tell it."""
    if sound.format != "MP3":
        return False
    with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as stream:
        head = stream.read(10)
        if head.startswith(b"ID3"):  # title and artist come before
            size = sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
            stream.seek(10 + size)
            head = b""
        head += stream.read(LONGEST_MPEG_FRAME)
    return not any(tag in head for tag in (b"Xing", b"Info", b"VBRI"))


@contextmanager
def _open_container(source: Source, reason: str) -> Iterator[Any]:
    """An opened PyAV container with an audio track; `reason` is why libsndfile declined."""
    container_format = "g722" if is_g722(source) else None
    try:
        import av  # an extra, and slow to import
    except ImportError as error:
        mend = f"For G.722, mp4, m4a, webm and the like, {INSTALL_CONTAINERS}; else convert the recording to wav."
        what = "The recording cannot be read without PyAV" if container_format else "Not a recording"
        raise AudioError(what, where=source_name(source), given=reason or container_format, mend=mend) from error
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        opened = av.open(file, format=container_format, options={"format_whitelist": CONTAINERS})
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _not_a_recording(source, reason, error) from error
    with opened as container:
        if not container.streams.audio:
            mend = "Give a file with an audio track."
            raise AudioError("The container has no audio track", where=source_name(source), mend=mend)
        yield container


def _of_container(container: Any, source: Source, reason: str, channel: int | None) -> OpenRecording:
    name = source_name(source)
    frames = _container_frames(container, source, reason)
    # The rate and channels of the first frame: what a header says of AAC may be half of what is decoded.
    opening = next(frames, None)
    if opening is None and reason:
        raise _not_a_recording(source, reason, reason)
    rate, channels = (G722_RATE, 1) if opening is None else (opening[0].sample_rate, len(opening[1]))
    _check_kind(rate, channels, channel, name)
    everything = chain([] if opening is None else [opening], frames)
    waves = (wave.mean(axis=0, dtype=np.float32) if channel is None else wave[channel] for _, wave in everything)
    return OpenRecording(rate, channels, None, lambda first: check_finite(gathered(waves, CHUNK, first), name))


def _container_frames(container: Any, source: Source, reason: str) -> Iterator[tuple[Any, Float[Array, "channel _"]]]:
    import av

    # Only changes the sample type. One plane for all channels: of eight or more planes PyAV reads past the last one.
    resampler = av.AudioResampler(format="flt")
    try:
        for frame in container.decode(audio=0):
            for converted in resampler.resample(frame):
                yield converted, converted.to_ndarray().reshape(-1, converted.layout.nb_channels).T
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _not_a_recording(source, reason, error) from error


def gathered(blocks: Blocks, size: int, first: int = 0) -> Blocks:
    """The same samples in blocks of `size`, the last one shorter; without the first ones where `first` says so."""
    parts: list[Float[Array, " _"]] = []
    waiting = place = 0
    for block in blocks:
        place += len(block)
        for part in _after(first - (place - len(block)), block):
            parts.append(part)
            waiting += len(part)
        if waiting >= size:
            joined = np.concatenate(parts)
            whole = waiting - waiting % size
            yield from (joined[start : start + size] for start in range(0, whole, size))
            # A copy, so that what was given away is not kept.
            parts, waiting = [joined[whole:].copy()], waiting - whole
    if waiting:
        yield np.concatenate(parts)


def _check_kind(sampling_rate: int, num_channels: int, channel: int | None, name: str) -> None:
    if sampling_rate not in PLAUSIBLE_RATES:
        mend = "Write the recording again with its true rate."
        raise AudioError("The sampling rate is not one of audio", where=name, given=f"{sampling_rate} Hz", mend=mend)
    if channel is not None and not 0 <= channel < num_channels:
        given, mend = f"channel {channel} of {num_channels}", "Count channels from 0, as the file has them."
        raise AudioError("The recording does not have this channel", where=name, given=given, mend=mend)


def _not_a_recording(source: Source, reason: str, error: object) -> AudioError:
    # libsndfile's own reason is the better one: FFmpeg speaks of whatever it took the file for.
    mend = "Give a wav, flac, ogg, mp3, g722, mp4, m4a or webm file that plays."
    return AudioError("Not a recording", where=source_name(source), given=reason or error, mend=mend)
