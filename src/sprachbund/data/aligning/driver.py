"""Cuts aligned by any aligner: what is finished is kept and not done again, and all is put together."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.aligning.finished import Findings, FinishedCuts, key_of
from sprachbund.data.aligning.results import Aligner, Alignments, judged_of, with_findings
from sprachbund.data.progress import watched
from sprachbund.data.storage.waveforms import require_own_recording
from sprachbund.data.units import Shard

WHOLE = "whole"


def align_cuts(
    cuts: CutSet,
    aligner: Aligner,
    *,
    jobs: int = 1,
    store: Path | None = None,
    shard: Shard | None = None,
    min_score: float | None = None,
) -> Alignments | None:
    """The same cuts, with words and phones in time wherever a transcript could be aligned.

    Args:
        cuts: recordings with transcripts.
        aligner: what aligns them.
        jobs: processes; their number changes nothing but the time.
        store: folder where finished cuts are kept, for runs that go on and for shards; None keeps nothing.
        shard: align only these, then put all together if the others are finished.
        min_score: an alignment with a lower score is dropped, and counted as unlikely.

    Returns:
        The alignments; None where other shards are not finished.

    Raises:
        DataError: a package is missing, or a cut has no recording of its own.
    """
    everything = list(cuts)
    for cut in everything:
        require_own_recording(cut, "an alignment could belong to")
    kept = None if store is None else FinishedCuts(store, aligner.fingerprint)
    finished = {} if kept is None else kept.read()
    wanted = everything if shard is None else list(shard.of(cuts))
    missing = [cut for cut in wanted if key_of(cut) not in finished]
    name = WHOLE if shard is None else str(shard).replace("/", "-of-")
    finished |= _align_missing(missing, aligner, jobs, kept, name)
    found = [finished.get(key_of(cut)) for cut in everything]
    if None in found:
        return None
    return _put_together(everything, [one for one in found if one is not None], aligner.fingerprint, min_score)


def _align_missing(
    missing: Sequence[Cut], aligner: Aligner, jobs: int, kept: FinishedCuts | None, name: str
) -> dict[str, Findings]:
    """The findings of `missing` by the keys of the cuts, kept one by one."""
    if not missing:
        return {}
    done: dict[str, Findings] = {}
    pairs = zip(watched(CutSet.from_cuts(missing), "Aligning"), aligner.find(missing, jobs), strict=True)
    if kept is None:
        return {key_of(cut): findings for cut, findings in pairs}
    with closing(kept.writer(name)) as writer:
        for cut, findings in pairs:
            writer.add(cut, findings)
            done[key_of(cut)] = findings
    return done


def _put_together(
    cuts: Sequence[Cut], found: Iterable[Findings], fingerprint: str, min_score: float | None
) -> Alignments:
    judged = [tuple(finding.judged(min_score) for finding in findings) for findings in found]
    aligned = [with_findings(cut, findings, fingerprint) for cut, findings in zip(cuts, judged, strict=True)]
    told = (one for cut, findings in zip(cuts, judged, strict=True) for one in judged_of(cut, findings))
    return Alignments(CutSet.from_cuts(aligned), tuple(told))
