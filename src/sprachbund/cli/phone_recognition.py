"""``sprachbund tokens recognize-phones MODEL MANIFEST --out DECODED`` and ``tokens phone-errors``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sprachbund.cli.throughput import timed
from sprachbund.cli.units import JobsOption


def recognize_phones(
    model: Annotated[Path, typer.Argument(help="Folder of a phone model.")],
    manifest: Annotated[Path, typer.Argument(help="Manifest of speech; its transcripts are not read.")],
    out: Annotated[Path, typer.Option(help="Manifest with the phones, marked as decoded.")],
    aligned: Annotated[
        Path | None,
        typer.Option(help="Aligned manifest that tells which phone follows which, as that of training; not for CTC."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of finished cuts; 'alignments' beside the new manifest if not given.")
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Decode the phones of speech that has no transcript; what an ended run has finished is kept."""
    from sprachbund.data.aligning.driver import align_cuts
    from sprachbund.data.aligning.results import Outcome
    from sprachbund.data.phones import PHONE, items_of
    from sprachbund.data.storage.manifest import read_cuts, write_cuts
    from sprachbund.decoding.phones.recognizer import PhoneRecognizer
    from sprachbund.errors import DataError
    from sprachbund.tokens.phones import SILENCE, plain_phone

    cuts = read_cuts(manifest)
    recognizer = PhoneRecognizer(model, None if aligned is None else tuple(read_cuts(aligned)))
    with timed("decoded", cuts):
        done = align_cuts(cuts, recognizer, jobs=jobs, store=store or out.parent / "alignments")
    assert done is not None, "there are no shards"
    if not done.outcomes[Outcome.DECODED]:
        raise DataError("no phones could be decoded", where=manifest, given=done.unaligned()[0].finding.detail)
    write_cuts(done.cuts, out)
    found = (plain_phone(item.symbol) for cut in done.cuts for item in items_of(cut, PHONE))
    num_phones = sum(phone != SILENCE for phone in found)
    typer.echo(
        f"{num_phones} phones in {done.outcomes[Outcome.DECODED]} of {done.outcomes.total()} stretches, in {out}"
    )
    for one in done.unaligned():
        if one.finding.outcome is not Outcome.DECODED:
            typer.echo(f"{one.cut}: {one.finding.outcome}, {one.finding.detail}", err=True)


def phone_errors(
    reference: Annotated[Path, typer.Argument(help="Aligned manifest.")],
    decoded: Annotated[Path, typer.Argument(help="The same cuts with phones to be judged.")],
    against: Annotated[Path | None, typer.Option(help="Another decoding of them, compared in pairs.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Say how many decoded phones are wrong, silence left out, with a bootstrap interval over cuts."""
    import json

    from sprachbund.data.storage.manifest import read_cuts
    from sprachbund.evaluation.phone_errors import difference
    from sprachbund.evaluation.phone_errors import phone_errors as judge
    from sprachbund.files import write_atomically

    references = read_cuts(reference)
    found = judge(references, read_cuts(decoded))
    figures = {"decoded": _figures(found)}
    typer.echo(f"{decoded}: {_sentence(found)}")
    if against is not None:
        other = judge(references, read_cuts(against))
        typer.echo(f"{against}: {_sentence(other)}")
        paired = difference(found, other)
        interval = f"{100 * paired.low:.1f} to {100 * paired.high:.1f}, p {paired.p:.3f}"
        typer.echo(f"difference: {100 * paired.difference:.1f} points ({interval})")
        figures |= {"against": _figures(other), "difference": [paired.difference, paired.low, paired.high, paired.p]}
    if json_file is not None:
        with write_atomically(json_file, "w") as handle:
            handle.write(json.dumps(figures, indent=2) + "\n")


def _sentence(found: Any) -> str:
    rate = found.rate
    told = f"phone error rate {100 * rate.rate:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"
    edits = f"{found.substitutions} substituted, {found.insertions} inserted, {found.deletions} missing"
    notes = f"; {found.without_decoding} cuts were not decoded" if found.without_decoding else ""
    notes += f"; {found.without_reference} cuts have no reference and are left out" if found.without_reference else ""
    return f"{told} of {rate.length} phones in {len(found.cuts)} cuts: {edits}{notes}"


def _figures(found: Any) -> Any:
    counts = {name: getattr(found, name) for name in ("substitutions", "insertions", "deletions")}
    left_out = {name: getattr(found, name) for name in ("without_decoding", "without_reference")}
    rate = found.rate
    return {
        "phone_error_rate": rate.rate,
        "interval": [rate.low, rate.high],
        "phones": rate.length,
        "cuts": len(found.cuts),
        **counts,
        **left_out,
    }
