"""Files transcribed one group after another; a file that cannot be read does not keep the others from it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.decoding.times.chunks import LongFormConfig
from sprachbund.decoding.times.long_form import transcribe_long
from sprachbund.errors import AudioError
from sprachbund.serving.transcripts import FileTranscript
from sprachbund.shapes import Array
from sprachbund.signal.audio import SAMPLING_RATE, probe_audio, read_audio

AT_ONCE = 64  # recordings read into memory together; transcripts come as each group is done
GROUP_SECONDS = 1200.0  # the same in seconds
LONGEST_WHOLE = 300.0  # seconds of a recording that is decoded as one unless it is told otherwise


@dataclass(frozen=True, kw_only=True)
class LongForm:
    """Which recordings are decoded chunk by chunk, and how."""

    chunks: LongFormConfig
    longest_whole: float = LONGEST_WHOLE  # seconds; 0 for all of them, infinity for none


DecodeLong = Callable[[Recognizer, Path, DecodingConfig, LongFormConfig], FileTranscript]
"""What decodes a recording chunk by chunk; it raises AudioError where the recording cannot be read."""


@dataclass(frozen=True)
class Failure:
    """A file that could not be transcribed."""

    file: Path
    error: AudioError


def transcribe_files(
    recognizer: Recognizer,
    files: Sequence[Path],
    config: DecodingConfig,
    long_form: LongForm,
    *,
    on_long: Callable[[Path, float], None],
    decode_long: DecodeLong | None = None,
) -> Iterator[FileTranscript | Failure]:
    """Transcribe files, in their order.

    Args:
        recognizer: what transcribes.
        files: any recordings.
        config: how transcripts are searched for.
        long_form: what is done with long ones.
        on_long: told of each recording that is decoded chunk by chunk, and of its seconds.
        decode_long: decodes those; None joins the words of their chunks by their times.

    Raises:
        SprachbundError: what concerns all files: the model, its language models or the options.
    """
    group = _Group(recognizer, config)
    for file in files:
        try:
            seconds = probe_audio(file).duration
            if seconds <= long_form.longest_whole:
                group.add(file, read_audio(file))
        except AudioError as error:
            group.add(file, error)
        else:
            if seconds > long_form.longest_whole:
                yield from group.flush()
                on_long(file, seconds)
                yield _decoded_long(decode_long or _transcribe_long, recognizer, file, config, long_form.chunks)
        if group.is_full:
            yield from group.flush()
    yield from group.flush()


class _Group:
    """Files that are decoded together, so that those of like length share a batch."""

    def __init__(self, recognizer: Recognizer, config: DecodingConfig) -> None:
        self._recognizer, self._config = recognizer, config
        self._files = list[tuple[Path, Array | AudioError]]()

    def add(self, file: Path, heard: Array | AudioError) -> None:
        """A waveform, or why there is none."""
        self._files.append((file, heard))

    @property
    def is_full(self) -> bool:
        """Whether it is time to decode."""
        samples = sum(len(heard) for _, heard in self._files if not isinstance(heard, AudioError))
        return len(self._files) >= AT_ONCE or samples >= GROUP_SECONDS * SAMPLING_RATE

    def flush(self) -> Iterator[FileTranscript | Failure]:
        """Decode what is there."""
        waveforms = [heard for _, heard in self._files if not isinstance(heard, AudioError)]
        transcripts = iter(self._recognizer.transcribe_waveforms(waveforms, self._config))
        for file, heard in self._files:
            if isinstance(heard, AudioError):
                yield Failure(file, heard)
            else:
                yield FileTranscript.of_whole(file, next(transcripts))
        self._files.clear()


def _decoded_long(
    decode: DecodeLong, recognizer: Recognizer, file: Path, config: DecodingConfig, chunks: LongFormConfig
) -> FileTranscript | Failure:
    try:
        return decode(recognizer, file, config, chunks)
    except AudioError as error:
        return Failure(file, error)


def _transcribe_long(
    recognizer: Recognizer, file: Path, config: DecodingConfig, chunks: LongFormConfig
) -> FileTranscript:
    timed = replace(config, timestamps=True)
    found = transcribe_long(lambda waveforms: recognizer.transcribe_waveforms(waveforms, timed), file, chunks)
    return FileTranscript.of_chunks(file, found)
