"""The corpora that can be fetched, by name."""

from pathlib import Path

from sprachbund.data.corpora import asterisk, steel_sky, wordnet
from sprachbund.data.corpora.layout import Corpus, Prepared, find_prepared
from sprachbund.errors import CorpusError

_ROWS = (
    Corpus(
        name=steel_sky.NAME,
        languages=("en", "de", "fr", "sv", "it", "pt", "es"),
        kind="speech",
        minutes=114.62,
        licence="Beneath-a-Steel-Sky-License",
        description="Acted English lines of a game, with translations into six languages",
        prepare=steel_sky.prepare,
    ),
    Corpus(
        name=asterisk.LANGUAGES["en"].name,
        languages=("en",),
        kind="speech",
        minutes=24.27,
        licence=asterisk.LANGUAGES["en"].licence,
        description="Telephone prompts of one English voice; best used as a test set (manifest all)",
        prepare=asterisk.prepare,
    ),
    Corpus(
        name=wordnet.NAME,
        languages=("en",),
        kind="text",
        minutes=None,
        licence=wordnet.LICENCE,
        description="Definitions and examples of an English dictionary, for text pre-training",
        prepare=wordnet.prepare,
    ),
)
CORPORA: dict[str, Corpus] = {corpus.name: corpus for corpus in _ROWS}


def get_corpus(name: str) -> Corpus:
    """The corpus of that name.

    Raises:
        CorpusError: there is none.
    """
    if name not in CORPORA:
        raise CorpusError("unknown corpus", given=name, mend=f"Known corpora: {', '.join(CORPORA)}.")
    return CORPORA[name]


def prepare_corpus(name: str, root: Path, source: Path | None = None, progress: bool = False) -> Prepared:
    """Fetch and prepare a corpus; texts that are below `root` already then lose the lines it holds out.

    Args:
        name: of the corpus.
        root: folder of all corpora.
        source: packages as a file or folder; None for the cache or a download.
        progress: whether to show bars.

    Raises:
        CorpusError: the name is unknown, or the corpus cannot be had.
    """
    prepared = get_corpus(name).prepare(root, source, progress)
    for other in CORPORA.values():
        if other.kind == "text" and other.name != name and find_prepared(root / other.name) is not None:
            other.prepare(root, None, progress)
    return prepared
