"""``sprachbund convert SOURCE OUT``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


class Layout(StrEnum):
    """Whose folder is written."""

    OURS = "sprachbund"
    TRANSFORMERS = "transformers"


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="A checkpoint of fairseq, or a folder of transformers or ours.")],
    out: Annotated[Path, typer.Argument(help="The model folder to write.")],
    to: Annotated[Layout, typer.Option(help="Layout to write; for transformers SOURCE is a model folder of ours.")] = (
        Layout.OURS
    ),
    dictionary: Annotated[
        Path | None,
        typer.Option(help="dict.txt of the text or phones, where SOURCE neither holds it nor has it beside."),
    ] = None,
    pieces: Annotated[
        Path | None, typer.Option(help="SentencePiece model of the text, where it is cut into pieces.")
    ] = None,
) -> None:
    """Make a model folder of a model that another tool has trained; nothing in its files is executed."""
    if to is Layout.TRANSFORMERS:
        from sprachbund.models.features import load_encoder
        from sprachbund.models.foreign import write_transformers

        for name in write_transformers(load_encoder(source), out):
            typer.echo(f"not used: {name}")
        typer.echo(f"a HuBERT of transformers in {out}")
        return
    from sprachbund.checkpoints.store import save_model
    from sprachbund.models.checkpoint_text import dictionary_of_pieces
    from sprachbund.models.convert import convert as convert_model
    from sprachbund.tokens.symbols import SymbolTokenizer
    from sprachbund.tokens.text import SentencePieceTokenizer, TextTokenizer
    from sprachbund.tokens.vocabulary import Vocabulary

    tokenizer: TextTokenizer | None = None
    if pieces is not None:
        tokenizer = SentencePieceTokenizer.from_files(pieces, dictionary or dictionary_of_pieces(source))
    elif dictionary is not None:
        tokenizer = SymbolTokenizer(Vocabulary.from_fairseq(dictionary))
    converted = convert_model(source, tokenizer)
    save_model(out, converted.stored)
    for name in converted.unused:
        # A file may call its weights anything, also what would tell the terminal what to do.
        typer.echo(f"not used: {name if name.isprintable() else ascii(name)}")
    for name in converted.copies:
        typer.echo(f"a copy, not needed: {name if name.isprintable() else ascii(name)}")
    for guess in converted.guesses:
        typer.echo(f"not said, taken: {guess}")
    count = sum(weight.numel() for weight in converted.stored.weights.values())
    typer.echo(f"{converted.stored.kind} of {count / 1e6:.1f} million weights in {out}")
