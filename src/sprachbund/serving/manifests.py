"""Decoding whole manifests and scoring the result."""

import time
from collections.abc import Sequence
from typing import Any

from sprachbund.data.batches.collate import transcript_of
from sprachbund.data.storage.waveforms import read_waveform
from sprachbund.decoding.recognition.config import DecodingConfig
from sprachbund.decoding.recognition.recognizer import Recognizer
from sprachbund.evaluation.decoded import DecodedManifest


def decode_cuts(
    recognizer: Recognizer, cuts: Sequence[Any], config: DecodingConfig, at_once: int = 256
) -> DecodedManifest:
    """Decode cuts with one transcript each, `at_once` in memory at a time.

    Raises:
        DataError: a cut without a transcript.
        AudioError: a recording that cannot be read.
    """
    references = tuple(transcript_of(cut) for cut in cuts)
    started, hypotheses, frames, blanks = time.perf_counter(), list[str](), 0, list[float]()
    for first in range(0, len(cuts), at_once):
        waveforms = [read_waveform(cut) for cut in cuts[first : first + at_once]]
        for transcript in recognizer.transcribe_waveforms(waveforms, config):
            hypotheses.append(transcript.text)
            frames += transcript.num_frames
            if transcript.blank_rate is not None:
                blanks.append(transcript.blank_rate * transcript.num_frames)
    return DecodedManifest(
        ids=tuple(cut.id for cut in cuts),
        references=references,
        hypotheses=tuple(hypotheses),
        blank_rate=sum(blanks) / max(frames, 1) if blanks or not hypotheses else None,
        audio_seconds=float(sum(cut.duration for cut in cuts)),
        decoding_seconds=time.perf_counter() - started,
    )
