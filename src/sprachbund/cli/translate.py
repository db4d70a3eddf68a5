"""``sprachbund translate MODEL FILES...``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.decoding import ThreadsOption, set_threads
from sprachbund.cli.options import takes_options
from sprachbund.cli.recordings import LongFormOptions, places_of, tell_long, tell_results
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False)

FORMATS = ("text", "json")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """What the command line says about the search of translations."""

    beam: Annotated[int | None, typer.Option(min=1, help="Hypotheses kept of each recording; 5 where not given.")] = (
        None
    )
    length_penalty: Annotated[
        float | None, typer.Option(help="Scores are divided by length to this power; above 1 favours long ones.")
    ] = None
    batch_seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of speech decoded side by side.")] = 120.0

    def config(self) -> Any:
        """The `DecodingConfig` that the options describe.

        Raises:
            RecipeError: a value makes no sense.
        """
        from sprachbund.decoding.translation import translation_search

        return translation_search(beam=self.beam, length_penalty=self.length_penalty, batch_seconds=self.batch_seconds)


@app.command()
@takes_options
def translate(
    model: Annotated[Path, typer.Argument(help="A model folder, fine-tuned for translation.")],
    files: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    search: SearchOptions,
    long: LongFormOptions,
    form: Annotated[str, typer.Option("--format", help="Of what is told.", metavar="text|json")] = "text",
    out: Annotated[Path | None, typer.Option(help="Folder to write a file a recording to.")] = None,
    threads: ThreadsOption = 0,
) -> None:
    """Translate what is said in recordings of any common format; one line a recording, in the order given.

    Recordings of more than five minutes are translated in chunks cut at pauses, which is told.
    """
    from sprachbund.serving.files import list_recordings
    from sprachbund.serving.translating import load_translator, translate_files

    if form not in FORMATS:
        mend = f"Known are: {', '.join(FORMATS)}."
        raise RecipeError("translations have no such format, as their words have no times", given=form, mend=mend)
    config, long_form, paths = search.config(), long.choice(), list_recordings(files)
    places = places_of(paths, form, out)
    set_threads(threads)
    translator = load_translator(model)
    translator.prepare(config)
    found = translate_files(translator, paths, config, long_form, on_long=tell_long)
    tell_results(found, places, form, out, done="translated", made="translations")
