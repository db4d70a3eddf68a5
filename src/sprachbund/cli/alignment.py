"""``sprachbund tokens align MANIFEST --out ALIGNED``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.throughput import timed
from sprachbund.cli.units import JobsOption


def align(
    manifest: Annotated[Path, typer.Argument(help="Manifest of English speech with transcripts.")],
    out: Annotated[Path, typer.Option(help="Manifest with the alignments.")],
    model: Annotated[Path | None, typer.Option(help="Folder of a phone model; without one, PocketSphinx.")] = None,
    word_positions: Annotated[
        bool, typer.Option("--word-positions", help="Name phones with their place in the word: _B _I _E _S.")
    ] = False,
    decode: Annotated[
        bool, typer.Option("--decode", help="Decode phones where there is no transcript, marked as decoded.")
    ] = False,
    min_score: Annotated[
        float | None, typer.Option(help="Drop alignments with a lower score (nats a frame, 0 is best).")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="List what is not aligned, and what is doubtful.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of finished cuts; 'alignments' beside the new manifest if not given.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="NUMBER/COUNT", help="Align this part only, such as 3/8; for many machines.")
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Find the words and phones of English transcripts in time; what cannot be aligned is kept without, and told.

    What an ended run has finished is kept. Shards may run at the same time; the one that finds all finished writes the
    manifest, and so does the same command without --shard.
    """
    from sprachbund.data.aligning.driver import align_cuts
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.data.units import Shard

    cuts, part = read_cuts(manifest), None if shard is None else Shard.parse(shard)
    aligner, doubtful = aligner_of(model, word_positions, decode)
    with timed("aligned", cuts if part is None else part.of(cuts)):
        done = align_cuts(
            cuts, aligner, jobs=jobs, store=store or out.parent / "alignments", shard=part, min_score=min_score
        )
    if done is None:
        typer.echo(f"shard {part} is finished; {out} is written when the other shards are")
        return
    if report is not None:
        _write_report(done, doubtful, report)
    _require_any(done)
    write_cuts(done.cuts, out)
    _tell(done, doubtful, out)


def aligner_of(model: Path | None, has_places: bool = False, is_decoding: bool = False) -> tuple[Any, float | None]:
    """PocketSphinx, or the phone model of a folder; and the score below which its alignments are to be doubted."""
    if model is None:
        from sprachbund.data.aligning.pocketsphinx_aligner import DOUBTFUL_SCORE as POCKETSPHINX_DOUBTFUL
        from sprachbund.data.aligning.pocketsphinx_aligner import PocketSphinxAligner
        from sprachbund.decoding.phones.pronouncing import load_guess

        return PocketSphinxAligner(load_guess(), has_places, is_decoding), POCKETSPHINX_DOUBTFUL
    from sprachbund.decoding.phones.aligner import DOUBTFUL_SCORE, PhoneModelAligner
    from sprachbund.errors import RecipeError

    if is_decoding:
        raise RecipeError(
            "a phone model is no decoder here",
            given="--model and --decode",
            mend="Decode with `sprachbund tokens recognize-phones`.",
        )
    return PhoneModelAligner(model, has_places=has_places), DOUBTFUL_SCORE


def _require_any(done: Any) -> None:
    """Refuse to write a manifest in which nothing has phones."""
    from sprachbund.data.aligning.results import Outcome
    from sprachbund.errors import DataError

    if not done.outcomes[Outcome.ALIGNED] and not done.outcomes[Outcome.DECODED]:
        first = next((one.finding.detail for one in done.unaligned() if one.finding.detail), "")
        told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(done.outcomes.items()))
        mend = "--report FILE.jsonl lists every clip with its reason."
        raise DataError("nothing could be aligned", given="; ".join(filter(None, (told, first))), mend=mend)


def _write_report(done: Any, doubtful: float | None, path: Path) -> None:
    """A line for everything that has no alignment of its transcript, or one to be doubted."""
    import json

    from sprachbund.files import write_atomically

    rows = [
        {
            "cut": one.cut,
            "supervision": one.supervision,
            "outcome": str(one.finding.outcome),
            "score": one.finding.score,
            "detail": one.finding.detail,
        }
        for one in (*done.unaligned(), *([] if doubtful is None else done.doubtful(doubtful)))
    ]
    with write_atomically(path, "w") as handle:
        handle.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _tell(done: Any, doubtful: float | None, out: Path) -> None:
    from sprachbund.data.aligning.results import Outcome
    from sprachbund.data.phones import PHONE, items_of
    from sprachbund.tokens.phones import SILENCE

    phones = [item.duration for cut in done.cuts for item in items_of(cut, PHONE) if item.symbol != SILENCE]
    mean = f", {len(phones)} phones of {1000 * sum(phones) / len(phones):.0f} ms on average" if phones else ""
    num_aligned = done.outcomes[Outcome.ALIGNED]
    typer.echo(f"{num_aligned} of {done.outcomes.total()} transcripts aligned{mean}, in {out}")
    for outcome, count in sorted(done.outcomes.items()):
        if outcome is not Outcome.ALIGNED:
            typer.echo(f"{count} {outcome}")
    if doubtful is not None and (doubted := done.doubtful(doubtful)):
        typer.echo(f"{len(doubted)} aligned ones score below {doubtful:g}: their recordings may say something else")
    if done.guessed_words:
        num_words = done.guessed_words.total()
        typer.echo(f"{num_words} words ({len(done.guessed_words)} different) are in no dictionary: guessed")
