"""Times of words and phones, attached to the supervisions of an existing manifest as Lhotse keeps them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lhotse import SupervisionSegment
from lhotse.cut import Cut, MonoCut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy

from sprachbund.data.importers.utterances import Item, Note, Request
from sprachbund.data.phones import ALIGNMENT_FIELDS, ALIGNMENT_START, PHONE
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.errors import DataError

Tiers = Mapping[str, Sequence[AlignmentItem]]  # tier -> its items, with times in the file they come from


def manifest_of(request: Request) -> Path:
    """The manifest that the alignments belong to.

    Raises:
        DataError: none was given.
    """
    if request.manifest is None:
        raise DataError("alignments need the manifest of their recordings", mend="Give it with --manifest.")
    return request.manifest


def split_of(request: Request) -> str:
    """The split is called as the manifest is."""
    return manifest_of(request).name.removesuffix(".gz").removesuffix(".jsonl")


def attach(manifest: Path, aligned: Mapping[str, Tiers]) -> Iterator[Item]:
    """The cuts of a manifest with their alignments; one without any is kept as it is, and noted.

    Args:
        manifest: of cuts.
        aligned: by the id of a cut, whose times then count from its start, or by the id or file name of a recording.

    Raises:
        DataError: the manifest cannot be read.
    """
    used = set()
    for cut in read_cuts(manifest):
        key = next((name for name in _names(cut) if name in aligned), None)
        if key is None or not cut.supervisions:
            yield Note("without alignment", cut.id, is_kept=True)
            yield cut
            continue
        used.add(key)
        offset = 0.0 if key == cut.id else float(cut.start)
        yield _with_alignment(cut, aligned[key], offset)
    for key in aligned:
        if key not in used:
            yield Note("alignments without a clip", key)


def _names(cut: Cut) -> list[str]:
    """What an alignment of a cut may be called."""
    if not isinstance(cut, MonoCut) or cut.recording is None:
        return [cut.id]
    stems = [Path(str(source.source)).stem for source in cut.recording.sources]
    return [cut.id, cut.recording.id, *stems]


def _with_alignment(cut: Cut, tiers: Tiers, offset: float) -> Cut:
    """Each supervision takes the items whose middle it covers; the times of a cut count from its start."""
    supervisions = []
    for said in cut.supervisions:
        custom, alignment = _before(said, replaces_phones=PHONE in tiers)
        for tier, items in tiers.items():
            moved = [item._replace(start=round(item.start - offset, 8)) for item in items]
            # That of a part of a recording may say more than is in the part.
            first, last = max(0.0, said.start), min(cut.duration, said.end)
            alignment[tier] = [item for item in moved if first <= item.start + item.duration / 2 <= last]
        supervisions.append(fastcopy(said, alignment=alignment, custom={**custom, ALIGNMENT_START: said.start}))
    return fastcopy(cut, supervisions=supervisions)


def _before(said: SupervisionSegment, *, replaces_phones: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a supervision brings: its custom fields, without those of phones that go, and its tiers in times of now."""
    custom = dict(said.custom or {})
    shift = said.start - custom.get(ALIGNMENT_START, said.start)
    alignment = {
        tier: [item._replace(start=round(item.start + shift, 8)) for item in items]
        for tier, items in (said.alignment or {}).items()
    }
    gone = ALIGNMENT_FIELDS if replaces_phones else ()
    return {key: value for key, value in custom.items() if key not in gone}, alignment


def timed(symbol: str, start: float, duration: float, score: float | None = None) -> AlignmentItem:
    """An item whose times and score are finite."""
    assert all(math.isfinite(value) for value in (start, duration, score or 0.0)), "readers check their numbers"
    return AlignmentItem(symbol, round(start, 8), round(duration, 8), score)
