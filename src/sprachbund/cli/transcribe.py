"""``sprachbund transcribe MODEL FILES...``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.decoding import BatchOption, BeamOption, MethodOption, ThreadsOption, decoding_config, set_threads

app = typer.Typer(add_completion=False)

AT_ONCE = 64  # recordings read into memory together; lines come as each group is done


@app.command()
def transcribe(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    decoder: MethodOption = "ctc",
    beam: BeamOption = 5,
    batch_seconds: BatchOption = 120.0,
    threads: ThreadsOption = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with score and blank rate.")] = False,
) -> None:
    """Transcribe recordings of any common format; one line a recording, in the order given."""
    from sprachbund.serving.files import list_recordings
    from sprachbund.serving.load import load

    config = decoding_config(decoder, beam, batch_seconds)
    paths = list_recordings(files)
    set_threads(threads)
    recognizer = load(model)
    for first in range(0, len(paths), AT_ONCE):
        group = paths[first : first + AT_ONCE]
        for path, transcript in zip(group, recognizer.transcribe_many(group, config), strict=True):
            if as_json:
                facts = {"file": str(path), "text": transcript.text, "score": transcript.score}
                typer.echo(json.dumps(facts | {"blank_rate": transcript.blank_rate}, ensure_ascii=False))
            else:
                typer.echo(f"{path}\t{transcript.text}" if len(paths) > 1 else transcript.text)
