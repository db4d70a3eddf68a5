"""Transcripts of files in the forms in which people and programs read them."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sprachbund.config import require_choice
from sprachbund.decoding.recognition.transcript import Transcript
from sprachbund.decoding.times.long_form import LongTranscript
from sprachbund.decoding.times.timestamps import WordTime
from sprachbund.errors import RecipeError
from sprachbund.serving.subtitles import format_srt, format_tsv, format_vtt

Format = Literal["text", "json", "srt", "vtt", "tsv"]
# Forms that are made of words in time.
_TIMED: Mapping[str, Callable[[Sequence[WordTime]], str]] = {"srt": format_srt, "vtt": format_vtt, "tsv": format_tsv}
_SUFFIXES: Mapping[str, str] = {"text": ".txt"}


@dataclass(frozen=True)
class FileTranscript:
    """What was said in a file."""

    file: Path
    text: str
    words: tuple[WordTime, ...] | None  # None where no times were asked for
    facts: Mapping[str, Any]  # what else is told to programs

    @classmethod
    def of_whole(cls, file: Path, transcript: Transcript) -> "FileTranscript":
        """Of a recording that was decoded as one."""
        facts: dict[str, Any] = {"score": _number(transcript.score), "blank_rate": transcript.blank_rate}
        if transcript.confidence is not None:
            facts["confidence"] = transcript.confidence
        if transcript.alternatives:
            facts["alternatives"] = [
                {
                    "text": one.text,
                    "score": _number(one.score),
                    "parts": {name: _number(part) for name, part in one.parts.items()},
                }
                for one in transcript.alternatives
            ]
        return cls(file, transcript.text, transcript.words, facts)

    @classmethod
    def of_chunks(cls, file: Path, transcript: LongTranscript) -> "FileTranscript":
        """Of a recording that was decoded chunk by chunk."""
        chunks = [
            {"start": round(part.start, 3), "end": round(part.end, 3), "text": part.text} for part in transcript.parts
        ]
        return cls(file, transcript.text, transcript.words, {"chunks": chunks})


def require_format(name: str) -> Format:
    """The form of this name.

    Raises:
        RecipeError: there is none.
    """
    chosen: Format = require_choice(get_args(Format), name, "format")
    return chosen


def needs_times(form: Format) -> bool:
    """Whether it is made of words in time."""
    return form in _TIMED


def format_transcript(transcript: FileTranscript, form: Format) -> str:
    """The transcript in that form, with a line feed at its end."""
    if form == "text":
        return f"{transcript.text}\n"
    if form == "json":
        facts = {"file": str(transcript.file), "text": transcript.text, **transcript.facts}
        if transcript.words is not None:
            facts["words"] = [_word(word) for word in transcript.words]
        return json.dumps(facts, ensure_ascii=False) + "\n"
    assert transcript.words is not None, "times were asked for"
    return _TIMED[form](transcript.words)


def name_outputs(files: Sequence[Path], folder: Path, form: Format) -> list[Path]:
    """Where the transcript of each file goes: the name of the file with another suffix.

    Raises:
        RecipeError: two files would have one transcript.
    """
    outputs = [folder / f"{file.stem}{_SUFFIXES.get(form, f'.{form}')}" for file in files]
    taken: dict[Path, Path] = {}
    for file, output in zip(files, outputs, strict=True):
        if taken.setdefault(output, file) != file:
            raise RecipeError(
                "two recordings would have one transcript",
                where=output,
                given=f"{taken[output]} and {file}",
                mend="Transcribe them into different folders.",
            )
    return outputs


def _word(word: WordTime) -> dict[str, Any]:
    """Times in whole milliseconds, which is finer than any model tells them."""
    return {**asdict(word), "start": round(word.start, 3), "end": round(word.end, 3)}


def _number(value: float) -> float | None:
    """JSON has no infinity, which is the score where nothing that was heard may be said."""
    return value if math.isfinite(value) else None
