"""CTM files: ``recording channel start duration symbol [score]`` on each line, of words or of phones."""

from collections.abc import Iterator
from pathlib import Path

from lhotse.supervision import AlignmentItem

from sprachbund.data.importers.alignments import attach, manifest_of, split_of, timed
from sprachbund.data.importers.lines import read_lines
from sprachbund.data.importers.utterances import Item, Parts, Request, find_lists
from sprachbund.data.phones import PHONE, WORD

COMMENT = ";;"


def parts(request: Request) -> Parts:
    """The manifest with the alignments of one CTM file, or of all in a folder.

    A file whose name holds ``phon`` is of phones, any other of words.

    Raises:
        DataError: the source does not exist, or no manifest was given.
    """
    files = list(find_lists(request, ".ctm").values())
    manifest = manifest_of(request)
    return {split_of(request): lambda: _attach(manifest, files)}


def read_ctm(path: Path) -> dict[str, list[AlignmentItem]]:
    """Recording -> its items in the order of their times; the channel is not looked at.

    Raises:
        DataError: a line has another number of fields, or a time is none.
    """
    items: dict[str, list[AlignmentItem]] = {}
    for line in read_lines(path):
        fields = line.text.split()
        if not fields or fields[0].startswith(COMMENT):
            continue
        if len(fields) not in (5, 6):
            raise line.fault("the line is not 'recording channel start duration symbol'", "A score may follow.")
        start, duration = line.number_of(fields[2], "start"), line.number_of(fields[3], "duration")
        score = line.number_of(fields[5], "score") if len(fields) > 5 else None
        items.setdefault(fields[0], []).append(timed(fields[4], start, duration, score))
    return {recording: sorted(found, key=lambda item: item.start) for recording, found in items.items()}


def _attach(manifest: Path, files: list[Path]) -> Iterator[Item]:
    aligned: dict[str, dict[str, list[AlignmentItem]]] = {}
    for path in files:
        tier = PHONE if "phon" in path.stem.lower() else WORD
        for recording, items in read_ctm(path).items():
            aligned.setdefault(recording, {})[tier] = items
    return attach(manifest, aligned)
