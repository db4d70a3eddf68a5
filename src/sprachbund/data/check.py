"""A first look over manifests before anything is trained on them: it fails loudly, with counts and examples."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sprachbund.data.collate import transcript_of
from sprachbund.errors import DataError
from sprachbund.signal.audio import probe_audio

# Frames of padding that an encoder may add or drop at the end of a recording.
TOLERANCE_SECONDS = 0.05


def check_cuts(cuts: Sequence[Any]) -> str:
    """Look at every recording's header and transcript; returns a summary.

    Raises:
        DataError: a recording is missing, or shorter than its cut, or a cut has no text.
        AudioError: a recording cannot be read.
    """
    seconds, words = 0.0, 0
    for cut in cuts:
        path = Path(cut.recording.sources[0].source)
        duration = probe_audio(path).duration
        if cut.end > duration + TOLERANCE_SECONDS:
            raise DataError(
                "a cut ends after its recording",
                where=f"cut {cut.id} of {path}",
                given=f"{cut.end:.3f} s of {duration:.3f} s",
                mend="Get the corpus again.",
            )
        text = transcript_of(cut)
        if not text.strip():
            raise DataError("a cut has an empty transcript", where=f"cut {cut.id}", mend="Leave it out.")
        seconds, words = seconds + cut.duration, words + len(text.split())
    return f"{len(cuts)} clips, {seconds / 60:.2f} minutes, {words} words"


def check_overlap(splits: Mapping[str, Sequence[Any]]) -> None:
    """No transcript of `dev` or `test` may be trained on.

    Raises:
        DataError: names how many are, and one of them.
    """
    trained = {transcript_of(cut) for cut in splits["train"]}
    for split in ("dev", "test"):
        shared = sorted({transcript_of(cut) for cut in splits[split]} & trained)
        if shared:
            raise DataError(
                f"{len(shared)} transcripts of {split} are trained on as well",
                given=shared[0],
                mend="Drop them from train.",
            )
