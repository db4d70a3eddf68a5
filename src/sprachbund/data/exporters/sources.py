"""What exporters ask of a cut: a plain part of one recording."""

from typing import Any

from lhotse import MonoCut
from lhotse.audio import AudioSource

from sprachbund.data.batches.collate import transcript_of
from sprachbund.errors import DataError


def source_of(cut: Any) -> AudioSource:
    """The one source of a cut's recording.

    Raises:
        DataError: the cut is mixed or padded, or its recording is changed as it is read.
    """
    is_plain = isinstance(cut, MonoCut) and cut.recording is not None and not cut.recording.transforms
    if not is_plain or len(cut.recording.sources) != 1:
        raise DataError(
            "a cut is no plain part of one recording",
            where=f"cut {cut.id}",
            mend="Save mixed, padded and changed cuts as audio files first (Lhotse's `CutSet.save_audios`).",
        )
    return cut.recording.sources[0]


def text_of(cut: Any) -> str | None:
    """The transcript of a cut; None where no supervision has one.

    Raises:
        DataError: there are several, or one that goes over several lines.
    """
    if all(said.text is None for said in cut.supervisions):
        return None
    text = transcript_of(cut)
    if len(text.splitlines()) > 1:
        mend = "Write it in one line."
        raise DataError("a transcript goes over several lines", where=f"cut {cut.id}", given=repr(text), mend=mend)
    return text.strip()
