"""The formats that can be exported to, by name."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sprachbund.data.exporters.ctm import export_ctm
from sprachbund.data.exporters.fairseq import export_fairseq
from sprachbund.data.exporters.shar import SHARD_SIZE, export_shar
from sprachbund.data.exporters.textgrid import export_textgrid
from sprachbund.errors import CorpusError

EXPORT_FORMATS = {
    "fairseq": "lists, letters, words and units as fairseq reads them; each manifest is a split",
    "shar": "shards of FLAC and arrays as Lhotse reads them, from one manifest",
    "textgrid": "words and phones in time as Praat reads them, a file for each cut of one manifest",
    "ctm": "words and phones in time as NIST and Kaldi read them, from one manifest",
}


def export_corpus(name: str, manifests: Sequence[Path], out: Path, shard_size: int = SHARD_SIZE) -> str:
    """Write manifests in the format `name`; returns what was written, in words.

    Raises:
        CorpusError: there is no such format.
        SprachbundError: a manifest cannot be used, or `out` is not empty.
    """
    exporters: dict[str, Callable[[Sequence[Path], Path], str]] = {
        "fairseq": export_fairseq,
        "shar": partial(export_shar, shard_size=shard_size),
        "textgrid": export_textgrid,
        "ctm": export_ctm,
    }
    if name not in exporters:
        raise CorpusError("unknown format", given=name, mend=f"Known formats: {', '.join(EXPORT_FORMATS)}.")
    return exporters[name](manifests, out)
