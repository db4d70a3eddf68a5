"""``sprachbund transcribe MODEL FILES...``."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.decoding import DecodingOptions, ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.errors import AudioError, RecipeError

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What is told of each recording, and where."""

    form: Annotated[
        str, typer.Option("--format", help="Of what is told; all but text tell more.", metavar="text|json|srt|vtt|tsv")
    ] = "text"
    out: Annotated[Path | None, typer.Option(help="Folder to write a file a recording to.")] = None
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="Place the words in time, for --format json; the others do.")
    ] = False
    times: Annotated[
        str | None,
        typer.Option(help="What places words: ctc (usual), or where the text decoder looks.", metavar="ctc|attention"),
    ] = None
    num_best: Annotated[
        int | None, typer.Option(min=1, help="Transcripts told of each recording that is decoded whole; for json.")
    ] = None


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


@app.command()
@takes_options
def transcribe(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    decoding: DecodingOptions,
    output: OutputOptions,
    long: LongFormOptions,
    threads: ThreadsOption = 0,
) -> None:
    """Transcribe recordings of any common format; one line a recording, in the order given.

    Recordings of more than five minutes are decoded in chunks cut at pauses, which is told.
    """
    from sprachbund.serving.files import list_recordings
    from sprachbund.serving.load import load
    from sprachbund.serving.transcribing import Failure, transcribe_files
    from sprachbund.serving.transcripts import needs_times, require_format

    form = require_format(output.form)
    timestamps = output.timestamps or needs_times(form)
    config = decoding.config(timestamps=timestamps, times_by=output.times, num_best=output.num_best)
    long_form, paths = long.choice(), list_recordings(files)
    places = _places(paths, form, output.out)
    set_threads(threads)
    recognizer = load(model)
    recognizer.prepare(config)
    failures = []
    found = transcribe_files(recognizer, paths, config, long_form, on_long=_tell_long)
    for result, place in zip(found, places, strict=True):
        if not isinstance(result, Failure):
            _tell(result, form, place, is_named=len(paths) > 1)
            continue
        failures.append(result.error)
        if len(paths) > 1:
            typer.echo(f"sprachbund: {result.error}", err=True)
    if output.out is not None:
        typer.echo(f"{len(paths) - len(failures)} of {len(paths)} transcripts in {output.out}")
    _tell_failures(failures, len(paths))


def _places(paths: list[Path], form: Any, out: Path | None) -> list[Path] | list[None]:
    """The file for each recording; None where it goes to standard output."""
    from sprachbund.serving.transcripts import name_outputs, needs_times

    if out is not None:
        return name_outputs(paths, out, form)
    if needs_times(form) and len(paths) > 1:
        given, mend = f"{len(paths)} recordings", "Name a folder with --out."
        raise RecipeError(f"{form} is a file for each recording", given=given, mend=mend)
    return [None] * len(paths)


def _tell_long(file: Path, seconds: float) -> None:
    typer.echo(f"{file}: {seconds / 60:.1f} minutes, decoded in chunks (--whole decodes it as one)", err=True)


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


def _tell_failures(errors: list[AudioError], num_files: int) -> None:
    if errors and num_files == 1:
        raise errors[0]
    if errors:
        mend = "Why is told above; the others are transcribed."
        raise AudioError(f"{len(errors)} of {num_files} recordings could not be transcribed", mend=mend)
