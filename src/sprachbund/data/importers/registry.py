"""The formats that can be imported, by name."""

from collections.abc import Callable
from dataclasses import dataclass

from sprachbund.data.importers import (
    ctm,
    fairseq,
    fairseq_text,
    folder,
    huggingface,
    kaldi,
    lhotse_manifest,
    ljspeech,
    nemo,
    textgrid,
)
from sprachbund.data.importers.manifests import Report, import_speech
from sprachbund.data.importers.utterances import Parts, Request
from sprachbund.errors import CorpusError


@dataclass(frozen=True)
class ImportFormat:
    """A form in which corpora lie."""

    name: str
    description: str  # of the source
    run: Callable[[Request], list[Report]]


def _speech(parts: Callable[[Request], Parts]) -> Callable[[Request], list[Report]]:
    return lambda request: import_speech(request, parts(request))


_ROWS = (
    ImportFormat("folder", "recordings with .txt beside them, or with transcripts.tsv or .csv", _speech(folder.parts)),
    ImportFormat("fairseq", "SPLIT.tsv with .ltr, .wrd, .txt, .km or .phn and dictionaries", _speech(fairseq.parts)),
    ImportFormat("fairseq-text", "SPLIT.idx and SPLIT.bin with dict.txt; gives text", fairseq_text.import_text),
    ImportFormat("kaldi", "a data folder: wav.scp, text, utt2spk, segments", _speech(kaldi.parts)),
    ImportFormat("nemo", "a manifest of JSON lines", _speech(nemo.parts)),
    ImportFormat("ljspeech", "metadata.csv and wavs", _speech(ljspeech.parts)),
    ImportFormat("textgrid", "alignments by Praat or the Montreal aligner, to a manifest", _speech(textgrid.parts)),
    ImportFormat("ctm", "alignments as NIST and Kaldi write them, to a manifest", _speech(ctm.parts)),
    ImportFormat("lhotse", "a manifest of cuts, or of recordings and supervisions", _speech(lhotse_manifest.parts)),
    ImportFormat("huggingface", "a saved data set, or name:configuration", _speech(huggingface.parts)),
)
IMPORT_FORMATS: dict[str, ImportFormat] = {row.name: row for row in _ROWS}


def import_corpus(name: str, request: Request) -> list[Report]:
    """Import a source of the format `name`; a report for each split.

    Raises:
        CorpusError: there is no such format.
        SprachbundError: the source is malformed, or nothing of it can be used.
    """
    if name not in IMPORT_FORMATS:
        raise CorpusError("unknown format", given=name, mend=f"Known formats: {', '.join(IMPORT_FORMATS)}.")
    return IMPORT_FORMATS[name].run(request)
