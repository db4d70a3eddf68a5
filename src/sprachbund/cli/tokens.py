"""Verbs that make tokens: fit and assign units of speech, train tokenizers of text."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sprachbund.errors import DataError

app = typer.Typer(help="Make tokens: units of speech, tokenizers of text.", no_args_is_help=True)

MANIFEST_SUFFIXES = (".jsonl", ".jsonl.gz")


JobsOption = Annotated[int, typer.Option(min=1, help="Processes on this machine.")]


class TokenizerKind(StrEnum):
    """How text is cut into tokens."""

    CHARACTER = "character"
    SENTENCEPIECE = "sentencepiece"


class PieceKind(StrEnum):
    """How SentencePiece finds its pieces."""

    CHAR = "char"
    UNIGRAM = "unigram"
    BPE = "bpe"


@app.command("fit-units")
def fit_units(
    manifests: Annotated[
        list[str], typer.Argument(metavar="MANIFEST", help="Manifests or Shar folders of the speech to fit on.")
    ],
    units: Annotated[int, typer.Option(min=1, help="Number of units (clusters).")],
    out: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the choice of frames and the clustering.")] = 0,
    jobs: JobsOption = 1,
) -> None:
    """Fit k-means units on the MFCC of speech."""
    from lhotse import CutSet

    from sprachbund.data.storage.shar import read_speech
    from sprachbund.data.units import fit_units as fit

    cuts = CutSet.from_cuts([cut for manifest in manifests for cut in read_speech(manifest)])
    model = fit(cuts, units, seed=seed, jobs=jobs)
    model.save(out)
    typer.echo(f"{model.num_units} units of {len(cuts)} cuts in {out}, fingerprint {model.fingerprint[:16]}")


@app.command("label")
def label(
    manifest: Annotated[Path, typer.Argument(help="Manifest of the speech to label.")],
    model: Annotated[Path, typer.Option(help="Folder of the unit model.")],
    out: Annotated[Path, typer.Option(help="Manifest of the labelled speech.")],
    arrays: Annotated[
        Path | None, typer.Option(help="Folder of the stored units; 'units' beside the new manifest where not given.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="NUMBER/COUNT", help="Label this part only, such as 3/8; for many machines.")
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Assign units to speech; units stored by an interrupted run or by other shards are kept.

    Shards may run at the same time. The one that finds all units stored writes the manifest; so does the same command
    without --shard, once the arrays of all shards are in one folder.
    """
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.data.units import Shard, attach_units, find_units
    from sprachbund.tokens.units import UnitModel

    part = None if shard is None else Shard.parse(shard)
    unit_model, cuts, folder = UnitModel.load(model), read_cuts(manifest), arrays or out.parent / "units"
    labelled = attach_units(cuts if part is None else part.of(cuts), unit_model, folder, jobs=jobs)
    if part is not None:
        typer.echo(f"shard {part}: {len(labelled)} of {len(cuts)} cuts have units in {folder}")
        whole = find_units(cuts, unit_model, folder)
        if whole is None:
            typer.echo(f"{out} is written when the other shards are done")
            return
        labelled = whole
    write_cuts(labelled, out)
    typer.echo(f"{len(labelled)} cuts with {unit_model.num_units} units in {out}")


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
) -> None:
    """Train a tokenizer on text."""
    from sprachbund.tokens.normalize import normalize_text
    from sprachbund.tokens.text import CharacterTokenizer, SentencePieceTokenizer

    lines = (line if raw else normalize_text(line) for source in sources for line in _read_texts(source))
    tokenizer: CharacterTokenizer | SentencePieceTokenizer
    if kind is TokenizerKind.CHARACTER:
        tokenizer = CharacterTokenizer.train(lines, size=size)
    else:
        tokenizer = SentencePieceTokenizer.train(lines, vocab_size=size, model_type=pieces.value)
    tokenizer.save(out)
    typer.echo(f"{kind.value} tokenizer of {len(tokenizer.vocabulary)} entries in {out}")


def _read_texts(source: Path) -> Iterator[str]:
    """The transcripts of a manifest, or the lines of a text file."""
    if source.name.endswith(MANIFEST_SUFFIXES):
        from sprachbund.data.storage.manifest import read_cuts

        for cut in read_cuts(source):
            yield from (supervision.text for supervision in cut.supervisions if supervision.text)
        return
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "a text cannot be read", where=source, given=str(error), mend="Give UTF-8 text files or manifests."
        ) from error
    yield from text.split("\n")
