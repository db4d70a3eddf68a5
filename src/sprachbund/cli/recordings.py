"""What verbs share that write down what they hear in recordings: how long ones are cut, and where results go."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.errors import AudioError, RecipeError


@dataclass(frozen=True, kw_only=True)
class LongFormOptions:
    """What is done with long recordings."""

    chunk: Annotated[
        float | None, typer.Option(min=1.0, help="Decode chunk by chunk, each of at most so many seconds.")
    ] = None
    vad: Annotated[
        str | None,
        typer.Option(
            help="Decode chunk by chunk; what finds the pauses to cut at (none cuts windows).",
            metavar="energy|webrtc|none",
        ),
    ] = None
    whole: Annotated[bool, typer.Option("--whole", help="Decode every recording as one, however long it is.")] = False

    def choice(self) -> Any:
        """The `LongForm` that the options describe.

        Raises:
            RecipeError: they do not go together.
        """
        from sprachbund.decoding.times.chunks import LongFormConfig
        from sprachbund.serving.transcribing import LongForm

        is_chosen = self.chunk is not None or self.vad is not None
        if self.whole and is_chosen:
            raise RecipeError("a recording is decoded whole or in chunks", given="--whole", mend="Leave it out.")
        lengths: dict[str, Any] = {}
        if self.chunk is not None:
            lengths = {"chunk_seconds": self.chunk, "overlap_seconds": min(4.0, self.chunk / 4)}
        if self.vad == "none":
            chunks = LongFormConfig(kind="windows", **lengths)
        elif self.vad in (None, "energy", "webrtc"):
            chunks = LongFormConfig(kind="pauses", detector="webrtc" if self.vad == "webrtc" else "energy", **lengths)
        else:
            mend = "Known are: energy, webrtc, none."
            raise RecipeError("nothing of this name finds pauses", given=self.vad, mend=mend)
        if self.whole or is_chosen:
            return LongForm(chunks=chunks, longest_whole=math.inf if self.whole else 0.0)
        return LongForm(chunks=chunks)


def places_of(paths: list[Path], form: Any, out: Path | None) -> list[Path] | list[None]:
    """The file for each recording; None where it goes to standard output."""
    from sprachbund.serving.transcripts import name_outputs, needs_times

    if out is not None:
        return name_outputs(paths, out, form)
    if needs_times(form) and len(paths) > 1:
        given, mend = f"{len(paths)} recordings", "Name a folder with --out."
        raise RecipeError(f"{form} is a file for each recording", given=given, mend=mend)
    return [None] * len(paths)


def tell_long(file: Path, seconds: float) -> None:
    """Say that a recording is not decoded as one."""
    typer.echo(f"{file}: {seconds / 60:.1f} minutes, decoded in chunks (--whole decodes it as one)", err=True)


def tell_results(
    found: Iterator[Any], places: Sequence[Path | None], form: Any, out: Path | None, *, done: str, made: str
) -> None:
    """Write results to their files or to standard output as they come.

    Args:
        found: a `FileTranscript` or a `Failure` for each of `places`.
        places: files, or None for standard output.
        form: of the results.
        out: the folder that is named at the end.
        done: what was done to the recordings, in a word.
        made: what they became, in a word.

    Raises:
        AudioError: recordings could not be read; the results of the others are told.
    """
    from sprachbund.serving.transcribing import Failure

    num_files, errors = len(places), list[AudioError]()
    for result, place in zip(found, places, strict=True):
        if not isinstance(result, Failure):
            _tell(result, form, place, is_named=num_files > 1)
            continue
        errors.append(result.error)
        if num_files > 1:
            typer.echo(f"sprachbund: {result.error}", err=True)
    if out is not None:
        typer.echo(f"{num_files - len(errors)} of {num_files} {made} in {out}")
    if errors and num_files == 1:
        raise errors[0]
    if errors:
        mend = f"Why is told above; the others are {done}."
        raise AudioError(f"{len(errors)} of {num_files} recordings could not be {done}", mend=mend)


def _tell(transcript: Any, form: Any, place: Path | None, *, is_named: bool) -> None:
    from sprachbund.files import write_atomically
    from sprachbund.serving.transcripts import format_transcript

    content = format_transcript(transcript, form)
    if place is not None:
        with write_atomically(place, mode="w") as handle:
            handle.write(content)
    else:
        name = f"{transcript.file}\t" if is_named and form == "text" else ""
        typer.echo(f"{name}{content}", nl=False)
