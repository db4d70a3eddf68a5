"""Praat's TextGrid files in the long text form: one for each cut, with a tier of words and one of phones."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lhotse.supervision import AlignmentItem

from sprachbund.data.exporters.alignments import AlignedCut, aligned_cuts, told
from sprachbund.data.exporters.new_folder import new_folder
from sprachbund.data.phones import PHONE, WORD
from sprachbund.files import write_atomically

ENDING = ".TextGrid"
NAMES = {WORD: "words", PHONE: "phones"}
LONGEST_NAME = 200  # bytes of an id
ROUNDING = 1e-6  # seconds that neighbours may overlap

Interval = tuple[float, float, str]


def export_textgrid(manifests: Sequence[Path], out: Path) -> str:
    """Write the words and phones of one manifest, a file ``ID.TextGrid`` for each cut; returns what was written.

    Raises:
        DataError: an id that is no name of a file, a symbol or times that the form cannot hold, no alignment, or `out`
            is not empty.
    """
    cuts, num_others = aligned_cuts(manifests)
    with new_folder(out) as folder:
        for cut in cuts:
            with write_atomically(folder / _name(cut)) as handle:
                handle.write("".join(f"{line}\n" for line in _lines(cut)).encode())
    return told("TextGrids", len(cuts), num_others)


def _name(cut: AlignedCut) -> str:
    name = f"{cut.id}{ENDING}"
    is_usable = Path(name).name == name and Path(name).stem == cut.id and "\0" not in name
    if not is_usable or cut.id.startswith(".") or len(cut.id.encode()) > LONGEST_NAME:
        raise cut.fault("the id of a cut is no name of a file", repr(cut.id), "Give it one without slashes.")
    return name


def _lines(cut: AlignedCut) -> Iterator[str]:
    tiers = {name: list(_intervals(cut, cut.tiers[tier])) for tier, name in NAMES.items()}
    end = max(cut.duration, *(intervals[-1][1] for intervals in tiers.values()))
    yield from ('File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end!r}")
    yield from ("tiers? <exists>", f"size = {len(tiers)}", "item []:")
    for number, (name, intervals) in enumerate(tiers.items(), start=1):
        yield from (f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"')
        yield from ("        xmin = 0", f"        xmax = {end!r}", f"        intervals: size = {len(intervals)}")
        for place, (first, last, text) in enumerate(intervals, start=1):
            yield f"        intervals [{place}]:"
            yield from (f"            xmin = {first!r}", f"            xmax = {last!r}", f'            text = "{text}"')


def _intervals(cut: AlignedCut, items: Sequence[AlignmentItem]) -> Iterator[Interval]:
    """Items and the gaps between them, from the start of the cut to its end."""
    before = 0.0
    for item in items:
        if item.start < before - ROUNDING:
            mend = "Export to CTM, or cut the recording by its supervisions first."
            raise cut.fault("words or phones overlap, which a tier cannot", f"{item.symbol} at {item.start} s", mend)
        if not item.symbol or item.symbol != item.symbol.strip():
            raise cut.fault("a symbol is empty or has white space around it", repr(item.symbol), "Rename it.")
        if item.start > before:
            yield before, item.start, ""
        end = round(item.start + item.duration, 8)
        yield max(item.start, before), end, item.symbol.replace('"', '""')
        before = end
    if before < cut.duration or not items:
        yield before, cut.duration, ""
