"""CTM files, as NIST and Kaldi write them: ``words.ctm`` and ``phones.ctm``, named by the ids of the cuts."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sprachbund.data.exporters.alignments import AlignedCut, aligned_cuts, told
from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.data.phones import PHONE, WORD
from sprachbund.files import write_atomically

FILES = {WORD: "words.ctm", PHONE: "phones.ctm"}
CHANNEL = "1"
COMMENT = ";;"


def export_ctm(manifests: Sequence[Path], out: Path) -> str:
    """Write the words and the phones of one manifest; returns what was written, in words.

    Scores of items are written where they are numbers from 0 on, as the form has it.

    Raises:
        DataError: an id or a symbol that the form cannot hold, no alignment, or `out` is not empty.
    """
    cuts, num_others = aligned_cuts(manifests)
    with new_folder(out) as folder:
        for tier, name in FILES.items():
            if any(cut.tiers[tier] for cut in cuts):
                with write_atomically(folder / name) as handle:
                    handle.writelines(f"{line}\n".encode() for cut in cuts for line in _lines(cut, tier))
    return told("words and phones", len(cuts), num_others)


def _lines(cut: AlignedCut, tier: str) -> Iterator[str]:
    if cut.id.split() != [cut.id] or cut.id.startswith(COMMENT):
        raise cut.fault("the id of a cut cannot stand in a CTM file", repr(cut.id), "Give it one without white space.")
    for item in cut.tiers[tier]:
        if item.symbol.split() != [item.symbol]:
            mend = "Rename it, or export to TextGrid."
            raise cut.fault(
                "a symbol is empty or holds white space, which parts the fields of CTM", repr(item.symbol), mend
            )
        has_score = item.score is not None and 0 <= item.score < float("inf")
        yield " ".join(
            (cut.id, CHANNEL, f"{item.start!r}", f"{item.duration!r}", item.symbol, *([f"{item.score!r}"] * has_score))
        )
