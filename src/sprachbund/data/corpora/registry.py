"""The corpora that can be fetched, by name."""

from pathlib import Path

from sprachbund.data.corpora import (
    amazon_queen,
    anarchism,
    asterisk,
    bible,
    fillets,
    gcide,
    pocketsphinx_test,
    steel_sky,
    tuxpaint,
    wesnoth,
    wordnet,
)
from sprachbund.data.corpora.field.table import ROWS as FIELD_ROWS
from sprachbund.data.corpora.layout import Corpus, Prepared, Shard, ShardDone, find_prepared
from sprachbund.errors import CorpusError

_ROWS: tuple[Corpus, ...] = (
    steel_sky.CORPUS,
    amazon_queen.CORPUS,
    *asterisk.CORPORA,
    *fillets.CORPORA,
    *tuxpaint.CORPORA,
    pocketsphinx_test.CORPUS,
    wordnet.CORPUS,
    gcide.CORPUS,
    anarchism.CORPUS,
    bible.CORPUS,
    wesnoth.CORPUS,
    *FIELD_ROWS,
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
    """Fetch and prepare a corpus; what is below `root` already and must lose the texts it holds out then does.

    Those are all texts, and the speech that avoids this corpus.

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
        is_concerned = other.kind == "text" or name in other.avoids
        if is_concerned and other.name != name and find_prepared(root / other.name) is not None:
            other.prepare(root, None, progress)
    return prepared


def prepare_shard(name: str, root: Path, shard: Shard, source: Path | None = None, progress: bool = False) -> ShardDone:
    """Fetch a corpus and prepare the recordings of one shard; `prepare_corpus` then finds them and writes the rest.

    Args:
        name: of the corpus.
        root: folder of all corpora, which the shards share.
        shard: which one, as its index from 0, of how many.
        source: packages as a file or folder; None for the cache or a download.
        progress: whether to show a bar.

    Raises:
        CorpusError: the name is unknown, or the corpus cannot be had, or has nothing to share out.
    """
    write = get_corpus(name).prepare_shard
    if write is None:
        raise CorpusError("the corpus has no shards", given=name, mend="Get it whole, without --shard.")
    return write(root, source, progress, shard)
