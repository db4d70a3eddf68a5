"""``sprachbund transcribe MODEL FILES...``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.decoding import DecodingOptions, ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.cli.recordings import LongFormOptions, places_of, tell_long, tell_results

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
    from sprachbund.serving.transcribing import transcribe_files
    from sprachbund.serving.transcripts import needs_times, require_format

    form = require_format(output.form)
    timestamps = output.timestamps or needs_times(form)
    config = decoding.config(timestamps=timestamps, times_by=output.times, num_best=output.num_best)
    long_form, paths = long.choice(), list_recordings(files)
    places = places_of(paths, form, output.out)
    set_threads(threads)
    recognizer = load(model)
    recognizer.prepare(config)
    found = transcribe_files(recognizer, paths, config, long_form, on_long=tell_long)
    tell_results(found, places, form, output.out, done="transcribed", made="transcripts")
