"""``sprachbund tokens boundaries``."""

from pathlib import Path
from typing import Annotated

import typer

from sprachbund.cli.units import JobsOption

POCKETSPHINX = "pocketsphinx"


def boundaries(
    aligner: Annotated[
        str,
        typer.Option(metavar="pocketsphinx|FOLDER", help="The aligner: PocketSphinx, or the folder of a phone model."),
    ] = POCKETSPHINX,
    speech: Annotated[
        Path | None, typer.Option(help="Folder to keep the speech in, with manifests true.jsonl.gz and found.jsonl.gz.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    jobs: JobsOption = 1,
) -> None:
    """Say how far an aligner is from the true phone times of synthetic English speech (espeak-ng)."""
    import json
    import tempfile
    from dataclasses import asdict

    from sprachbund.cli.alignment import aligner_of
    from sprachbund.data.aligning.driver import align_cuts
    from sprachbund.data.storage.manifest import write_cuts
    from sprachbund.evaluation.espeak_speech import speak_sentences
    from sprachbund.evaluation.phone_boundaries import boundary_errors
    from sprachbund.evaluation.spoken_sentences import SENTENCES
    from sprachbund.files import write_atomically

    chosen, _ = aligner_of(None if aligner == POCKETSPHINX else Path(aligner))
    with tempfile.TemporaryDirectory() as passing:
        folder = speech or Path(passing)
        true = speak_sentences(folder, SENTENCES)
        done = align_cuts(true, chosen, jobs=jobs)
        assert done is not None, "there are no shards"
        if speech is not None:
            write_cuts(true, folder / "true.jsonl.gz")
            write_cuts(done.cuts, folder / "found.jsonl.gz")
    found = boundary_errors(true, done.cuts)
    if json_file is not None:
        with write_atomically(json_file, "w") as handle:
            handle.write(json.dumps({"aligner": aligner, "fingerprint": chosen.fingerprint, **asdict(found)}, indent=2))
    typer.echo(f"{found.boundaries} boundaries: median {found.median_ms:.1f} ms off, mean {found.mean_ms:.1f} ms")
    typer.echo(
        f"{found.within_20:.1%} are within 20 ms, {found.within_40:.1%} within 40 ms; bias {found.bias_ms:+.1f} ms"
    )
    typer.echo(f"{found.matched_phones} of {found.true_phones} phones are matched")
    typer.echo(f"{found.unaligned} of {len(true)} sentences are not aligned")
