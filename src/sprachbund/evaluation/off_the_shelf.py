"""Whole manifests decoded by a recogniser of others, with the same result as a model's."""

import time
from collections.abc import Sequence

from lhotse.cut import Cut

from sprachbund.data.batches.collate import transcript_of
from sprachbund.decoding.recognition.sphinx import transcribe_cuts
from sprachbund.evaluation.decoded import DecodedManifest


def decode_cuts_with_pocketsphinx(cuts: Sequence[Cut], jobs: int = 1) -> DecodedManifest:
    """Decode cuts with one transcript each by PocketSphinx, in `jobs` processes.

    Raises:
        DataError: a cut without a transcript, or PocketSphinx is not installed.
        AudioError: a recording that cannot be read.
    """
    references = tuple(transcript_of(cut) for cut in cuts)
    started = time.perf_counter()
    hypotheses = tuple(transcribe_cuts(cuts, jobs))
    return DecodedManifest(
        ids=tuple(cut.id for cut in cuts),
        references=references,
        hypotheses=hypotheses,
        blank_rate=None,
        audio_seconds=float(sum(cut.duration for cut in cuts)),
        decoding_seconds=time.perf_counter() - started,
    )
