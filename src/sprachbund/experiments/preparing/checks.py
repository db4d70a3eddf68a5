"""What cannot work is refused before anything is made."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lhotse.cut import Cut

from sprachbund.data.aligning.results import Outcome
from sprachbund.data.aligning.words import spoken_words
from sprachbund.data.storage.manifest import read_cuts
from sprachbund.data.text.sources import open_text
from sprachbund.errors import DataError
from sprachbund.experiments.preparing.plans import Sources


def check_sources(sources: Sources, *, needs_pairs: bool) -> None:
    """Read all manifests, and look whether they go together and the texts are there.

    Args:
        sources: speech and text.
        needs_pairs: whether a model is trained on the paired part.

    Raises:
        DataError: no paired part where one is needed; one without an English transcript; held-out clips among those
            to train on; ids that come twice; or a source of text without a line.
        SprachbundError: a manifest or a text cannot be read.
    """
    for name in sources.text:
        if not len(open_text(name)):
            raise DataError("the text is empty", where=name, mend="Give a file with a sentence a line.")
    if needs_pairs and not sources.paired:
        mend = "Give --paired MANIFEST, some minutes of English speech with transcripts; or the model made of them."
        raise DataError("there is no paired part", mend=mend)
    speech, paired = _cuts(sources.speech), _cuts(sources.paired)
    if sources.paired:
        _require_english(paired)
    held_out = {cut.id for cut in (*_cuts(sources.valid), *_cuts(sources.held_out))}
    for cuts, what in ((speech, "the speech to train on"), (paired, "the paired part")):
        shared = sorted({cut.id for cut in cuts} & held_out)
        if shared:
            given = f"{len(shared)} clips, such as {shared[0]}"
            raise DataError(f"{what} holds held-out clips", given=given, mend="Leave them out of one of the manifests.")


def paired_words(cuts: Iterable[Cut]) -> Counter[Outcome | None]:
    """How many transcripts can be read (None), and how many cannot, by what is wrong with them."""
    said = [spoken_words(one) for cut in cuts for one in cut.supervisions]
    return Counter(answer if isinstance(answer, Outcome) else None for answer in said)


def has_transcripts(manifest: Path) -> bool:
    """Whether anything is written of what is said."""
    return any(said.text and said.text.strip() for cut in read_cuts(manifest) for said in cut.supervisions)


def _cuts(manifests: Iterable[Path]) -> list[Cut]:
    """The cuts of manifests, whose ids are all different."""
    cuts = [cut for manifest in manifests for cut in read_cuts(manifest)]
    twice = [name for name, count in Counter(cut.id for cut in cuts).items() if count > 1]
    if twice:
        where = ", ".join(map(str, manifests))
        given = f"{len(twice)} ids, such as {twice[0]}"
        raise DataError("the manifests share clip ids", where=where, given=given, mend="Give each clip once.")
    return cuts


def _require_english(cuts: Iterable[Cut]) -> None:
    found = paired_words(cuts)
    if found[None]:
        return
    if found[Outcome.NOT_ENGLISH]:
        mend = "The lexicon is English: give paired speech in English."
        raise DataError("the paired part is in another language", given=f"{found.total()} transcripts", mend=mend)
    mend = "Give manifests whose supervisions have a text."
    raise DataError("the paired part has no transcripts", given=f"{found.total()} supervisions", mend=mend)
