"""The paired part: its words and phones in time."""

from collections.abc import Iterable

from lhotse import CutSet
from lhotse.cut import Cut

from sprachbund.data.aligning.driver import align_cuts
from sprachbund.data.aligning.results import Aligner, Alignments
from sprachbund.data.phone_labels import aligner_of
from sprachbund.data.phones import is_aligned
from sprachbund.data.storage.fingerprint import file_fingerprint
from sprachbund.data.storage.manifest import read_cuts, write_cuts
from sprachbund.errors import DataError
from sprachbund.experiments.preparing.workshop import Workshop

FINISHED = "alignments"  # folder of what aligners have finished


def given_pairs(shop: Workshop) -> list[Cut]:
    """All cuts of the paired part, as they were given."""
    return [cut for manifest in shop.plan.sources.paired for cut in read_cuts(manifest)]


def brings_phones(cuts: Iterable[Cut]) -> bool:
    """Whether clips were aligned already: then they are not aligned again, and those without phones are left out."""
    return any(map(is_aligned, cuts))


def align_pairs(shop: Workshop, aligner: Aligner | None) -> None:
    """Write those clips of the paired part that have phones in time.

    Args:
        shop: the folder.
        aligner: None where the clips bring their phones.

    Raises:
        DataError: no clip can be aligned.
        VocabularyError: the clips bring alignments of several aligners.
    """
    cuts = given_pairs(shop)
    made_of = {
        "paired": [file_fingerprint(manifest) for manifest in shop.plan.sources.paired],
        "aligner": aligner_of(cuts) if aligner is None else aligner.fingerprint,
    }
    stage = shop.stage("aligned", made_of)
    if stage.is_done(lambda: file_fingerprint(shop.aligned)):
        return
    if aligner is not None:
        cuts = list(hear(shop, cuts, aligner).cuts)
    aligned = [cut for cut in cuts if is_aligned(cut)]
    if not aligned:
        mend = "`sprachbund tokens align --report FILE.jsonl` lists every clip with its reason."
        raise DataError("no clip of the paired part could be aligned", given=f"{len(cuts)} clips", mend=mend)
    shop.say(f"{len(aligned)} of {len(cuts)} paired clips have phones in time")
    write_cuts(aligned, shop.aligned)
    stage.finish(file_fingerprint(shop.aligned))


def hear(shop: Workshop, cuts: Iterable[Cut], aligner: Aligner) -> Alignments:
    """What an aligner or a recogniser of phones finds in cuts; finished ones are kept."""
    done = align_cuts(CutSet.from_cuts(cuts), aligner, jobs=shop.plan.jobs, store=shop.out / FINISHED)
    assert done is not None, "there are no shards"
    for outcome, count in sorted(done.outcomes.items()):
        shop.say(f"{count} {outcome}")
    return done
