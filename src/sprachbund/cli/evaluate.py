"""``sprachbund evaluate MODEL MANIFEST``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.decoding import BatchOption, BeamOption, MethodOption, ThreadsOption, decoding_config, set_threads

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model folder.")],
    manifest: Annotated[str, typer.Argument(help="A manifest of cuts with transcripts, or a Shar folder or address.")],
    decoder: MethodOption = "ctc",
    beam: BeamOption = 5,
    batch_seconds: BatchOption = 120.0,
    threads: ThreadsOption = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write the figures and the clips to.")] = None,
) -> None:
    """Word and character error rates with 95 % bootstrap intervals over the clips."""
    from sprachbund.data.storage.shar import read_speech
    from sprachbund.evaluation.evaluate import evaluate as score
    from sprachbund.evaluation.evaluate import save_evaluation, summarize
    from sprachbund.serving.load import load
    from sprachbund.serving.manifests import decode_cuts

    config = decoding_config(decoder, beam, batch_seconds)
    set_threads(threads)
    cuts = list(read_speech(manifest))
    decoded = decode_cuts(load(model), cuts, config)
    triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
    result = score(triples, blank_rate=decoded.blank_rate, seconds=decoded.audio_seconds)
    if out is not None:
        save_evaluation(result, out)
    speed = decoded.audio_seconds / decoded.decoding_seconds
    typer.echo(f"{summarize(result)}\ndecoded {speed:.1f} seconds of speech a second")
