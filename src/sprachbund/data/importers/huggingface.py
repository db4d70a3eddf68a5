"""Data sets of the Hugging Face library (extra ``datasets``): saved on disk, or by name with ``name:configuration``.

Recordings are taken as the bytes that they are stored as; nothing is decoded by the library.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sprachbund.data.importers.folder import SUFFIXES
from sprachbund.data.importers.lines import is_file
from sprachbund.data.importers.utterances import (
    NO_RECORDING,
    WHOLE,
    Encoded,
    Item,
    Note,
    Parts,
    Request,
    Utterance,
)
from sprachbund.errors import DataError

# Names of columns, the first of which that is there counts.
TEXTS = ("text", "sentence", "transcription", "transcript", "normalized_text", "raw_transcription")
SPEAKERS = ("speaker_id", "speaker", "client_id")
IDS = "id"
SAVED = ("dataset_info.json", "dataset_dict.json")
UNKNOWN_SUFFIX = ".audio"  # a reader looks at the content


def parts(request: Request) -> Parts:
    """The splits of a data set.

    Raises:
        DataError: the extra is not installed, or the data set cannot be had.
    """
    loaded = _load(request.source)
    splits = loaded if isinstance(loaded, dict) else {WHOLE: loaded}
    return {str(name): partial(read_rows, rows, str(name), request) for name, rows in splits.items()}


def read_rows(rows: Any, split: str, request: Request) -> Iterator[Item]:
    """The utterances of one split; ids are those of the column ``id``, or the split and the number of the row.

    Args:
        rows: a ``datasets.Dataset``.
        split: its name.
        request: may name the column of the texts.

    Raises:
        DataError: there is no column of recordings, or none of texts under a known name.
    """
    from datasets import Audio

    audio = _audio_column(rows, request.source)
    text = _text_column(rows, audio, request)
    speaker = next((name for name in SPEAKERS if name in rows.column_names), None)
    for number, row in enumerate(rows.cast_column(audio, Audio(decode=False))):
        identity = str(row[IDS]) if row.get(IDS) not in (None, "") else f"{split}-{number:07d}"
        recording = _recording(row[audio])
        if recording is None:
            yield Note(NO_RECORDING, identity)
            continue
        yield Utterance(
            id=identity,
            audio=recording,
            where=f"{request.source}, {split}, row {number}",
            text=None if text is None else str(row[text] or ""),
            speaker=None if speaker is None or row[speaker] is None else str(row[speaker]),
        )


def _load(source: str) -> Any:
    try:
        import datasets
    except ImportError:
        mend = "Install the extra with `pip install 'sprachbund[datasets]'`."
        raise DataError("data sets of Hugging Face need the package datasets", mend=mend) from None
    datasets.disable_progress_bars()
    folder = Path(source)
    try:
        if any(is_file(folder / name) for name in SAVED):
            return datasets.load_from_disk(source)
        # Only names have a configuration behind a colon.
        name, _, configuration = (source, "", "") if folder.exists() else source.partition(":")
        return datasets.load_dataset(name, configuration or None)
    except Exception as error:  # the library has no tree of its own, and lets those of many others through
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        mend = "Give a folder that save_to_disk wrote, or a name of the hub."
        raise DataError("the data set cannot be loaded", where=source, given=reason, mend=mend) from None


def _audio_column(rows: Any, source: str) -> str:
    from datasets import Audio

    columns = [name for name, feature in rows.features.items() if isinstance(feature, Audio)]
    if not columns:
        known = ", ".join(rows.column_names)
        raise DataError("no column holds recordings", where=source, given=known, mend="Cast one to datasets.Audio.")
    return "audio" if "audio" in columns else str(columns[0])


def _text_column(rows: Any, audio: str, request: Request) -> str | None:
    """The column of texts; None where recordings are the only column of a known name, and none was asked for."""
    if request.text_column is None:
        found = next((name for name in TEXTS if name in rows.column_names), None)
        if found is None and set(rows.column_names) - {audio, IDS, *SPEAKERS}:
            given = ", ".join(rows.column_names)
            mend = "Name it with --text-column."
            raise DataError("no column of texts has a known name", where=request.source, given=given, mend=mend)
        return found
    if request.text_column not in rows.column_names:
        given, mend = request.text_column, f"There are: {', '.join(rows.column_names)}."
        raise DataError("no such column", where=request.source, given=given, mend=mend)
    return request.text_column


def _recording(value: Any) -> Path | Encoded | None:
    if not value:
        return None
    name = value.get("path") or ""
    if value.get("bytes"):
        suffix = Path(name).suffix.lower()
        return Encoded(value["bytes"], suffix if suffix in SUFFIXES - {".g722"} else UNKNOWN_SUFFIX)
    return Path(name) if name else None
