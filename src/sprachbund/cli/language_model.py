"""``sprachbund lm``: language models of text."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.language_model_training import train
from sprachbund.errors import RecipeError

app = typer.Typer(add_completion=False, help="Make and measure language models of text.", no_args_is_help=True)
app.command("train")(train)

SOURCES_HELP = "Text: FILE, FILE.jsonl, a manifest (its transcripts), a line store, a saved data set."
Sources = Annotated[list[str], typer.Argument(metavar="TEXT...", help=SOURCES_HELP)]
Model = Annotated[Path, typer.Argument(help="Folder of a language model, or an ARPA file.")]
Raw = Annotated[bool, typer.Option("--raw", help="Take the text as written instead of normalised.")]
Language = Annotated[str, typer.Option(help="Whose words numbers are written in (en, de, ...).")]


class NgramLevel(StrEnum):
    """What an n-gram is made of."""

    WORDS = "words"
    TOKENS = "tokens"


@app.command("ngram")
def ngram(
    sources: Sources,
    out: Annotated[Path, typer.Option(help="Folder of the model; or FILE.arpa, FILE.arpa.gz.")],
    order: Annotated[int, typer.Option(help="Words of the longest n-grams, 1 to 10.")] = 4,
    level: Annotated[NgramLevel, typer.Option(help="What an n-gram is made of.")] = NgramLevel.WORDS,
    tokenizer: Annotated[Path | None, typer.Option(help="Folder of the recogniser's tokenizer, for tokens.")] = None,
    prune: Annotated[
        str, typer.Option(help="Leave out n-grams that occur this often at most, by length: 0,0,1.")
    ] = "0",
    vocabulary: Annotated[
        Path | None, typer.Option(help="File of words, one a line; all others are unknown words.")
    ] = None,
    min_count: Annotated[int, typer.Option(help="Words that are rarer are unknown words.")] = 1,
    raw: Raw = False,
    language: Language = "en",
) -> None:
    """Count the n-grams of text and smooth them by modified Kneser-Ney."""
    from sprachbund.data.text.sources import open_text
    from sprachbund.models.ngram.build import NgramConfig, build_ngram
    from sprachbund.tokens.text import load_tokenizer

    _check_place(out)
    config = NgramConfig(
        order=order,
        level=level.value,
        tokenizer=None if tokenizer is None else load_tokenizer(tokenizer),
        prune=_numbers(prune),
        vocabulary=None if vocabulary is None else _read_words(vocabulary, is_raw=raw),
        min_count=min_count,
        is_raw=raw,
        language=language,
    )
    built = build_ngram([open_text(source) for source in sources], config)
    _save(built.model, out)
    _tell_counts(built.model, out)
    count = built.count
    typer.echo(f"{count.lines} lines, {count.words} {level.value}, {count.unknown_words} of them unknown")
    if left_out := count.empty_lines + count.wordless_lines:
        typer.echo(f"{left_out} lines left out: {count.empty_lines} empty, {count.wordless_lines} without a word")
    for length, discounts in enumerate(built.discounts, start=1):
        if discounts.reason is not None:
            values = ", ".join(f"{value:g}" for value in discounts.values)
            typer.echo(f"usual discounts ({values}) for {length}-grams, since {discounts.reason}")


@app.command("perplexity")
def perplexity(
    model: Model,
    sources: Sources,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Folder of a recogniser's tokenizer: measure over its tokens.")
    ] = None,
    raw: Raw = False,
    language: Language = "en",
) -> None:
    """How well a language model foretells held-out text."""
    from sprachbund.data.text.lines import each_line
    from sprachbund.data.text.sources import open_text
    from sprachbund.evaluation.perplexity import measure_perplexity
    from sprachbund.models.ngram.build import spoken_form

    make_scorer, cutter, unit = _scorer(model, tokenizer)
    texts = (line.text for source in sources for line in each_line(open_text(source)))
    lines = [text if raw else spoken_form(text, language) for text in texts]
    measured = measure_perplexity(make_scorer, lines, cutter)
    token, bits = measured.per_token, measured.bits_per_character
    unknown = sum(measured.unknown.values())
    total = measured.num_tokens + unknown
    typer.echo(
        f"perplexity of a {unit}: {token.value:.2f} ({token.low:.2f} to {token.high:.2f}), ends of lines included"
    )
    if not unknown:
        typer.echo(f"bits of a character: {bits.value:.3f} ({bits.low:.3f} to {bits.high:.3f})")
    typer.echo(
        f"{measured.num_lines} lines of {total} {unit}s, "
        f"{unknown} of them ({100 * unknown / total:.2f}%) unknown and left out"
    )


@app.command("import")
def import_arpa(
    source: Annotated[Path, typer.Argument(help="ARPA file, .gz too.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model.")],
) -> None:
    """Make a folder, which loads at once, of an ARPA file."""
    from sprachbund.models.ngram.arpa import read_arpa
    from sprachbund.models.ngram.store import save_ngram

    _check_place(out)
    model = read_arpa(source)
    save_ngram(model, out)
    _tell_counts(model, out)


@app.command("export")
def export_arpa(model: Model, out: Annotated[Path, typer.Argument(help="FILE.arpa or FILE.arpa.gz.")]) -> None:
    """Write an n-gram model as an ARPA file."""
    from sprachbund.models.ngram.arpa import SUFFIXES, write_arpa
    from sprachbund.models.ngram.store import load_ngram

    if not out.name.endswith(SUFFIXES):
        raise RecipeError("this is no name of an ARPA file", given=out, mend="Name it FILE.arpa or FILE.arpa.gz.")
    loaded = load_ngram(model)
    write_arpa(loaded, out)
    _tell_counts(loaded, out)


def _check_place(out: Path) -> None:
    """Refuse early what saving would refuse late."""
    from sprachbund.models.ngram.arpa import SUFFIXES
    from sprachbund.models.ngram.store import check_place

    if not out.name.endswith(SUFFIXES):
        check_place(out)


def _save(model: Any, out: Path) -> None:
    from sprachbund.models.ngram.arpa import SUFFIXES, write_arpa
    from sprachbund.models.ngram.store import save_ngram

    if out.name.endswith(SUFFIXES):
        write_arpa(model, out)
    else:
        save_ngram(model, out)


def _tell_counts(model: Any, out: Path) -> None:
    counts = ", ".join(f"{count} {length}-grams" for length, count in enumerate(model.counts, start=1))
    typer.echo(f"{counts} in {out}")


def _numbers(written: str) -> tuple[int, ...]:
    parts = written.replace(",", " ").split()
    if not parts or not all(part.isascii() and part.isdigit() for part in parts):
        raise RecipeError("what to prune is no list of numbers", given=written, mend="Write it as 0,0,1.")
    return tuple(map(int, parts))


def _read_words(path: Path, *, is_raw: bool) -> tuple[str, ...]:
    """The first word of each line, as the text is written."""
    from sprachbund.data.text.lines import each_line
    from sprachbund.data.text.sources import PlainText
    from sprachbund.tokens.normalize import normalize_text

    lines = (line.text if is_raw else normalize_text(line.text) for line in each_line(PlainText(path)))
    words = tuple(dict.fromkeys(line.split()[0] for line in lines if line.split()))
    if not words:
        raise RecipeError("the vocabulary holds no word", where=path, mend="Write one word a line.")
    return words


def _scorer(path: Path, tokenizer: Path | None) -> tuple[Any, Any, str]:
    """What makes scorers, what cuts text for them, and what a token is called."""
    import torch

    from sprachbund.checkpoints.store import load_model
    from sprachbund.decoding.language.automata import AutomatonScorer
    from sprachbund.decoding.language.models import load_language_model
    from sprachbund.decoding.language.token_ngram import TokenNgram
    from sprachbund.models.ngram.model import SPECIAL_WORDS
    from sprachbund.models.ngram.store import is_ngram, load_ngram
    from sprachbund.tokens.symbols import SymbolTokenizer
    from sprachbund.tokens.text import load_tokenizer
    from sprachbund.tokens.vocabulary import Vocabulary

    cpu = torch.device("cpu")
    if tokenizer is not None or not is_ngram(path):
        # A neural model has a tokenizer of its own.
        cutter = load_model(path).tokenizer if tokenizer is None else load_tokenizer(tokenizer)
        if cutter is None:
            raise RecipeError("this model has no tokenizer, so it is no language model", where=path)
        loaded = load_language_model(path, cutter)
        return lambda rows: loaded.scorer(rows, cpu), cutter, "token"
    model = load_ngram(path)
    if model.level == "tokens":
        mend = "Give --tokenizer FOLDER, the one that the model was made with."
        raise RecipeError("this n-gram model is of tokens, and text must be cut into them", where=path, mend=mend)
    words = SymbolTokenizer(Vocabulary(word for word in model.words if word not in SPECIAL_WORDS))
    automaton = TokenNgram(model, words.vocabulary)
    return lambda rows: AutomatonScorer(automaton, rows, cpu), words, "word"
