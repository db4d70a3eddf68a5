"""Recordings to waveforms and back: any file that libsndfile reads, G.722 streams, and containers through PyAV."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from sprachbund.errors import AudioError
from sprachbund.files import write_atomically
from sprachbund.shapes import Array, Float

SAMPLING_RATE = 16000  # of every model in the package

G722_SUFFIX = ".g722"  # a stream without a header: only its name tells, and each byte holds two samples
SUBTYPES = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}
CHUNK = 1 << 20  # numbers read or written at once, so that a lying header cannot ask for all the memory
ENDLESS = 1 << 48
CUT_WAV = re.compile(r"^\s*data : (\d+) \(should be (\d+)\)", re.MULTILINE)  # in libsndfile's log of the header
ENDLESS_WAV = 0x7FFF0000
PLAUSIBLE_RATES = range(1000, 1_000_001)
# Playlists and other formats that name further files or addresses stay closed.
CONTAINERS = "aac,ac3,aiff,amr,asf,avi,caf,eac3,flac,flv,g722,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,wav,webm"
INSTALL_CONTAINERS = "install the extra with `pip install sprachbund[containers]`"


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


@dataclass(frozen=True)
class _Recording:
    """A decoded recording at its own rate, with its channels averaged."""

    waveform: Float[Array, " sample"]
    sampling_rate: int
    num_channels: int


class _Content(io.BytesIO):
    """Bytes to read; a damaged header may send libsndfile before their start, where it then stays as in a file."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def read_audio(source: Path | str | bytes, sampling_rate: int = SAMPLING_RATE) -> Float[Array, " sample"]:
    """Read a recording as one channel at `sampling_rate`, float32, full scale at 1.

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
    recording = _decode(source)
    waveform = resample(recording.waveform, recording.sampling_rate, sampling_rate)
    if len(waveform) == 0:
        raise AudioError("The recording is empty", where=_name(source), given="0 samples", mend="Leave it out.")
    return waveform


def probe_audio(source: Path | str | bytes) -> AudioInfo:
    """Tell the rate, channels and length of a recording; headers are believed, containers without one are decoded.

    Raises:
        AudioError: the recording cannot be read.
    """
    _check_present(source)
    if _is_g722(source):
        return AudioInfo(SAMPLING_RATE, num_channels=1, num_samples=2 * Path(str(source)).stat().st_size)
    try:
        with _open_soundfile(source) as sound:
            if 0 < sound.frames < ENDLESS:
                return AudioInfo(sound.samplerate, sound.channels, sound.frames)
    except soundfile.SoundFileError:
        pass
    recording = _decode(source)
    return AudioInfo(recording.sampling_rate, recording.num_channels, len(recording.waveform))


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
    # libsndfile scales by 32767 when it writes but by 32768 when it reads, so 16-bit numbers are made here.
    samples: Array = np.clip(waveform, -1, 1).astype(np.float32)
    if subtype == "PCM_16":
        samples = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    with (
        write_atomically(path) as handle,
        soundfile.SoundFile(handle, "w", sampling_rate, 1, subtype, format=file_format) as sound,
    ):
        # In parts, because the Vorbis encoder keeps a whole write on the stack.
        for start in range(0, len(samples), CHUNK // 16):
            sound.write(samples[start : start + CHUNK // 16])


def resample(waveform: Float[Array, " sample"], from_rate: int, to_rate: int) -> Float[Array, " resampled"]:
    """Change the sampling rate (soxr, high quality); the same samples when the rates agree."""
    if from_rate == to_rate:
        return waveform
    resampled: Float[Array, " resampled"] = soxr.resample(waveform, from_rate, to_rate, quality="HQ")
    return resampled


def _decode(source: Path | str | bytes) -> _Recording:
    """The checked samples of a recording: libsndfile first, PyAV where it must."""
    _check_present(source)
    if _is_g722(source):
        recording = _decode_container(source, container_format="g722")
    else:
        try:
            recording = _decode_soundfile(source)
        except soundfile.SoundFileError as error:
            recording = _decode_container(source, reason=getattr(error, "error_string", str(error)))
    _check_samples(recording.waveform, _name(source))
    if recording.sampling_rate not in PLAUSIBLE_RATES:
        raise AudioError(
            "The sampling rate is not one of audio",
            where=_name(source),
            given=f"{recording.sampling_rate} Hz",
            mend="Write the recording again with its true rate.",
        )
    return recording


def _decode_soundfile(source: Path | str | bytes) -> _Recording:
    with _open_soundfile(source) as sound:
        size = max(1, CHUNK // sound.channels)
        parts: list[Float[Array, " _"]] = []
        try:
            while len(part := sound.read(size, dtype="float32", always_2d=True)):
                parts.append(part.mean(axis=1, dtype=np.float32))
        except soundfile.SoundFileError as error:
            mend = "Copy or download it again."
            raise AudioError(
                "The recording is damaged or cut short", where=_name(source), given=error, mend=mend
            ) from error
        recording = _Recording(_join(parts), sound.samplerate, sound.channels)
        announced = _announced_samples(sound)
    _check_whole(len(recording.waveform), announced, _name(source))
    return recording


def _announced_samples(sound: Any) -> int:
    """Samples a channel that the header promises; 0 where it promises none."""
    if cut := CUT_WAV.search(sound.extra_info):
        promised, found = int(cut[1]), int(cut[2])
        # A wav that was written through a pipe promises all that 32 (or 31) bits can hold.
        return 0 if promised >= ENDLESS_WAV or found <= 0 else round(sound.frames * promised / found)
    # A FLAC stream that was written through a pipe does not know its length.
    return int(sound.frames) if sound.frames < ENDLESS else 0


def _check_whole(num_samples: int, announced: int, name: str) -> None:
    if num_samples < announced:
        given = f"{num_samples} of {announced} samples"
        raise AudioError("The recording is cut short", where=name, given=given, mend="Copy or download it again.")


@contextmanager
def _open_soundfile(source: Path | str | bytes) -> Iterator[Any]:
    """A `soundfile.SoundFile`; whatever it raises on a foreign file becomes a `soundfile.SoundFileError`."""
    try:
        opened = soundfile.SoundFile(_Content(source) if isinstance(source, bytes) else str(source))
    except (TypeError, ValueError) as error:  # suffixes of headerless formats, such as .raw
        raise soundfile.SoundFileError(str(error)) from error
    with opened as sound:
        yield sound


def _decode_container(
    source: Path | str | bytes, *, container_format: str | None = None, reason: str = ""
) -> _Recording:
    """Decode the first audio track with PyAV; `reason` is why libsndfile declined."""
    try:
        import av  # an extra, and slow to import
    except ImportError as error:
        mend = f"For G.722, mp4, m4a, webm and the like, {INSTALL_CONTAINERS}; else convert the recording to wav."
        what = "The recording cannot be read without PyAV" if container_format else "Not a recording"
        raise AudioError(what, where=_name(source), given=reason or container_format, mend=mend) from error
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        with av.open(file, format=container_format, options={"format_whitelist": CONTAINERS}) as container:
            if not container.streams.audio:
                mend = "Give a file with an audio track."
                raise AudioError("The container has no audio track", where=_name(source), mend=mend)
            recording = _decode_track(container)
        if reason and len(recording.waveform) == 0:
            raise ValueError(reason)
    except (av.FFmpegError, ValueError, EOFError) as error:
        # libsndfile's own reason is the better one: FFmpeg speaks of whatever it took the file for.
        mend = "Give a wav, flac, ogg, mp3, g722, mp4, m4a or webm file that plays."
        raise AudioError("Not a recording", where=_name(source), given=reason or error, mend=mend) from error
    return recording


def _decode_track(container: Any) -> _Recording:
    import av

    resampler = av.AudioResampler(format="fltp")  # only changes the sample type
    context = container.streams.audio[0].codec_context
    parts = [
        converted.to_ndarray().mean(axis=0, dtype=np.float32)
        for frame in container.decode(audio=0)
        for converted in resampler.resample(frame)
    ]
    return _Recording(_join(parts), context.sample_rate, context.layout.nb_channels)


def _join(parts: list[Float[Array, " _"]]) -> Float[Array, " sample"]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _is_g722(source: Path | str | bytes) -> bool:
    return not isinstance(source, bytes) and Path(source).suffix.lower() == G722_SUFFIX


def _name(source: Path | str | bytes) -> str:
    return "the given bytes" if isinstance(source, bytes) else str(source)


def _check_present(source: Path | str | bytes) -> None:
    if isinstance(source, bytes):
        return
    path = Path(source)
    if not path.is_file():
        what = "The path is a folder, not a recording" if path.is_dir() else "No such recording"
        raise AudioError(what, where=path, mend="Give the path of an audio file.")
    if not os.access(path, os.R_OK):
        raise AudioError("The recording may not be read", where=path, mend="Change its permissions.")


def _check_samples(waveform: Float[Array, " sample"], name: str) -> None:
    if len(waveform) == 0:
        raise AudioError("The recording is empty", where=name, given="0 samples", mend="Leave it out.")
    finite = np.isfinite(waveform)
    if not finite.all():
        first = int(np.argmin(finite))
        given = f"{waveform[first]} at sample {first}, {np.count_nonzero(~finite)} in all"
        mend = "Replace or remove these samples."
        raise AudioError("The recording holds samples that are not numbers", where=name, given=given, mend=mend)
