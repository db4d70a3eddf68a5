"""``sprachbund evaluate MODEL MANIFEST`` and ``sprachbund evaluate translation MODEL MANIFEST --target de``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sprachbund.cli.decoding import DecodingOptions, ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.cli.translate import SearchOptions
from sprachbund.errors import RecipeError

POCKETSPHINX = "pocketsphinx"
USUAL = "recognition"


class _UsualVerb(TyperGroup):
    """Takes what names no verb for the arguments of the usual one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual verb before its arguments."""
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        parsed: list[str] = super().parse_args(ctx, args if is_named else [USUAL, *args])
        return parsed


app = typer.Typer(
    add_completion=False, cls=_UsualVerb, help=f"Score what a model writes; MODEL MANIFEST alone means {USUAL}."
)


@app.command(USUAL)
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


@app.command("translation")
@takes_options
def evaluate_translation(
    model: Annotated[Path, typer.Argument(help="A model folder, fine-tuned for translation.")],
    manifest: Annotated[str, typer.Argument(help="A manifest of cuts with translations, or a Shar folder or address.")],
    target: Annotated[str, typer.Option(help="Language, or the name of a field of the cuts with the text.")],
    search: SearchOptions,
    against: Annotated[
        Path | None, typer.Option(help="A file that --out has written, of another system: tell whether they differ.")
    ] = None,
    threads: ThreadsOption = 0,
    out: Annotated[Path | None, typer.Option(help="JSON file to write scores and translations to.")] = None,
) -> None:
    """BLEU and chrF by sacrebleu, cased and lower-cased, with its signature and bootstrap intervals of 95 %."""
    from sprachbund.data.storage.shar import read_speech
    from sprachbund.data.translations import with_translations
    from sprachbund.evaluation.translation import (
        compare_translations,
        load_translations,
        save_translations,
        score_translations,
        summarize,
    )
    from sprachbund.serving.manifests import decode_cuts
    from sprachbund.serving.translating import load_translator

    config, other = search.config(), None if against is None else load_translations(against)
    set_threads(threads)
    translator = load_translator(model)
    translator.prepare(config)
    found = with_translations(read_speech(manifest), target, manifest)
    if found.num_without:
        typer.echo(f"{found.num_without} clips have no translation into {target} and are left out", err=True)
    decoded = decode_cuts(translator, list(found.cuts), config)
    result = score_translations(zip(decoded.ids, decoded.references, decoded.hypotheses, strict=True), target=target)
    differences = () if other is None else compare_translations(result, other)
    if out is not None:
        save_translations(result, out)
    typer.echo(summarize(result), nl=False)
    for each in differences:
        told = f"{each.value:.1f} against {each.other:.1f}, difference {each.difference:+.1f}, p = {each.p:.3f}"
        typer.echo(f"{each.metric:<12} {told}")


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
