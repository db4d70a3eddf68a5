"""``sprachbund evaluate MODEL MANIFEST``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.decoding import DecodingOptions, ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)

POCKETSPHINX = "pocketsphinx"


@app.command()
@takes_options
def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, or pocketsphinx: the recogniser of that package.")],
    manifest: Annotated[str, typer.Argument(help="A manifest of cuts with transcripts, or a Shar folder or address.")],
    decoding: DecodingOptions,
    threads: ThreadsOption = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of pocketsphinx.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder to write the figures and the clips to.")] = None,
) -> None:
    """Word and character error rates with 95 % bootstrap intervals over the clips."""
    from sprachbund.data.storage.shar import read_speech
    from sprachbund.evaluation.evaluate import evaluate as score
    from sprachbund.evaluation.evaluate import save_evaluation, summarize

    decode = _decoder_of(model, decoding, jobs)
    set_threads(threads)
    decoded = decode(list(read_speech(manifest)))
    triples = zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True)
    result = score(triples, blank_rate=decoded.blank_rate, seconds=decoded.audio_seconds)
    if out is not None:
        save_evaluation(result, out)
    speed = decoded.audio_seconds / decoded.decoding_seconds
    typer.echo(f"{summarize(result)}\ndecoded {speed:.1f} seconds of speech a second")


def _decoder_of(model: str, decoding: DecodingOptions, jobs: int) -> Callable[[Sequence[Any]], Any]:
    """What decodes manifests: a model folder, or the recogniser that others have made."""
    from sprachbund.evaluation.off_the_shelf import decode_cuts_with_pocketsphinx
    from sprachbund.serving.load import load
    from sprachbund.serving.manifests import decode_cuts

    if model == POCKETSPHINX and not Path(model).exists():
        if decoding != DecodingOptions():
            mend = "Leave them out: it has its own language model and search."
            raise RecipeError("pocketsphinx takes none of the options of decoding", mend=mend)
        return lambda cuts: decode_cuts_with_pocketsphinx(cuts, jobs)
    config = decoding.config()
    recognizer = load(model)
    recognizer.prepare(config)
    return lambda cuts: decode_cuts(recognizer, cuts, config)
