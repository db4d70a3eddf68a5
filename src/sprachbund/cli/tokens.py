"""Verbs that make tokens: units of speech, alignments, tokenizers of text."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.alignment import align
from sprachbund.cli.boundaries import boundaries
from sprachbund.cli.iterate import iterate
from sprachbund.cli.kmeans import export_km, import_km
from sprachbund.cli.lines import lines
from sprachbund.cli.phone_labels import label_phones
from sprachbund.cli.phone_recognition import phone_errors, recognize_phones
from sprachbund.cli.phonemes import durations, phonemes, pronounce
from sprachbund.cli.text_to_units import t2u_quality, text_to_units, train_g2p, train_t2u
from sprachbund.cli.unit_figures import quality, show
from sprachbund.cli.units import fit_units, label
from sprachbund.errors import DataError

app = typer.Typer(add_completion=False, help="Make tokens: units of speech, tokenizers of text.", no_args_is_help=True)
app.command("fit-units")(fit_units)
app.command("label")(label)
app.command("iterate")(iterate)
app.command("align")(align)
app.command("boundaries")(boundaries)
app.command("label-phones")(label_phones)
app.command("phonemes")(phonemes)
app.command("pronounce")(pronounce)
app.command("durations")(durations)
app.command("recognize-phones")(recognize_phones)
app.command("phone-errors")(phone_errors)
app.command("quality")(quality)
app.command("show")(show)
app.command("train-t2u")(train_t2u)
app.command("train-g2p")(train_g2p)
app.command("text-to-units")(text_to_units)
app.command("t2u-quality")(t2u_quality)
app.command("lines")(lines)
app.command("import-km")(import_km)
app.command("export-km")(export_km)

MANIFEST_SUFFIXES = (".jsonl", ".jsonl.gz")


class TokenizerKind(StrEnum):
    """How text is cut into tokens."""

    CHARACTER = "character"
    SENTENCEPIECE = "sentencepiece"


class PieceKind(StrEnum):
    """How SentencePiece finds its pieces."""

    CHAR = "char"
    UNIGRAM = "unigram"
    BPE = "bpe"


@app.command("train-text")
def train_text(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_MANIFEST", help="Text files, or manifests with transcripts.")
    ],
    kind: Annotated[TokenizerKind, typer.Option(help="How text is cut into tokens.")],
    out: Annotated[Path, typer.Option(help="Folder of the tokenizer.")],
    size: Annotated[int | None, typer.Option(min=1, help="Entries of the vocabulary, special ones included.")] = None,
    pieces: Annotated[PieceKind, typer.Option(help="How SentencePiece finds its pieces.")] = PieceKind.CHAR,
    raw: Annotated[bool, typer.Option("--raw", help="Take the text as written instead of normalised.")] = False,
    target: Annotated[
        str | None, typer.Option(help="Take the translations into this language of manifests, as written.")
    ] = None,
) -> None:
    """Train a tokenizer on text."""
    from sprachbund.tokens.normalize import normalize_text
    from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer

    is_written = raw or target is not None
    lines = (line if is_written else normalize_text(line) for source in sources for line in _read_texts(source, target))
    tokenizer: CharacterTokenizer | SentencePieceTokenizer
    if kind is TokenizerKind.CHARACTER:
        tokenizer = CharacterTokenizer.train(lines, size=size)
    else:
        tokenizer = SentencePieceTokenizer.train(lines, vocab_size=size, model_type=pieces.value)
    tokenizer.save(out)
    typer.echo(f"{kind.value} tokenizer of {len(tokenizer.vocabulary)} entries in {out}")


def _read_texts(source: Path, target: str | None) -> Iterator[str]:
    """The transcripts of a manifest, or its translations into `target`, or the lines of a text file."""
    if source.name.endswith(MANIFEST_SUFFIXES):
        from sprachbund.data.storage.manifest import read_cuts
        from sprachbund.data.translations import with_translations

        cuts = read_cuts(source)
        for cut in cuts if target is None else with_translations(cuts, target, str(source)).cuts:
            yield from (supervision.text for supervision in cut.supervisions if supervision.text)
        return
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "a text cannot be read", where=source, given=str(error), mend="Give UTF-8 text files or manifests."
        ) from error
    yield from text.split("\n")
