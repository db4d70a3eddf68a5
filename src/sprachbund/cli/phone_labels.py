"""``sprachbund tokens label-phones ALIGNED --labels FOLDER --out MANIFEST``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class PhonelessCuts(StrEnum):
    """What becomes of cuts without phones."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"
    NOISE = "noise"


def label_phones(
    manifest: Annotated[Path, typer.Argument(help="Manifest with phones in time.")],
    labels: Annotated[Path, typer.Option(help="Folder of the phone labels; made where there is none, else to be met.")],
    out: Annotated[Path, typer.Option(help="Manifest with phones as units.")],
    rate: Annotated[int | None, typer.Option(help="Labels a second: 100, 50 or 25; 50 where not given.")] = None,
    word_positions: Annotated[
        bool, typer.Option("--word-positions", help="Tell phones apart by their place in the word.")
    ] = False,
    without_phones: Annotated[
        PhonelessCuts, typer.Option(help="What becomes of cuts that have no phone at all.")
    ] = PhonelessCuts.REFUSE,
    arrays: Annotated[
        Path | None, typer.Option(help="Folder of the stored labels; 'units' beside the new manifest if not given.")
    ] = None,
) -> None:
    """Make units of the phones of an alignment, which trainers take like those of `tokens label`."""
    from sprachbund.data.phone_labels import WithoutPhones
    from sprachbund.data.phone_labels import label_phones as label
    from sprachbund.data.storage.manifest import read_cuts, write_cuts

    cuts = read_cuts(manifest)
    found, is_new = _labels(labels, cuts, rate, word_positions)
    done = label(cuts, found, arrays or out.parent / "units", WithoutPhones(without_phones.value))
    write_cuts(done.cuts, out)
    if is_new:
        found.save(labels)
    typer.echo(
        f"{len(done.cuts)} cuts with {found.num_units} phones, {found.rate} labels a second, in {out}; "
        f"labels in {labels}, fingerprint {found.fingerprint[:16]}"
    )
    typer.echo(f"{done.num_noise} of {done.num_labels} labels have no phone and are spoken noise")
    if done.left_out:
        typer.echo(f"{len(done.left_out)} cuts without phones are left out: {', '.join(done.left_out)}")


def _labels(folder: Path, cuts: Any, rate: int | None, has_places: bool) -> tuple[Any, bool]:
    """The labels of a folder, or new ones for the aligner of `cuts`, and whether they are new."""
    from sprachbund.data.phone_labels import aligner_of
    from sprachbund.errors import VocabularyError
    from sprachbund.tokens.phone_labels import DESCRIPTION_FILE, PhoneLabels

    if not (folder / DESCRIPTION_FILE).is_file():
        return PhoneLabels(has_places, rate or PhoneLabels.rate, aligner_of(cuts)), True
    labels = PhoneLabels.load(folder)
    if rate not in (None, labels.rate) or (has_places and not labels.has_places):
        given = f"rate {labels.rate}, {'with' if labels.has_places else 'without'} word positions"
        mend = "Leave the options out, or name another folder."
        raise VocabularyError("the phone labels of this folder are others", where=folder, given=given, mend=mend)
    return labels, False
