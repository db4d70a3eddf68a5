"""LJSpeech: ``metadata.csv`` with ``id|text|normalized text`` on each line, and the recordings in ``wavs``."""

from collections.abc import Iterator
from pathlib import Path

from sprachbund.data.importers.lines import is_file, read_lines
from sprachbund.data.importers.utterances import WHOLE, Parts, Request, Utterance

METADATA = "metadata.csv"
SUFFIXES = (".wav", ".flac")


def parts(request: Request) -> Parts:
    """The corpus as one split.

    Raises:
        DataError: its list cannot be read.
    """
    folder = request.path if request.path.is_dir() else request.path.parent
    return {WHOLE: lambda: read_metadata(folder / METADATA)}


def read_metadata(metadata: Path) -> Iterator[Utterance]:
    """The utterances; the normalised text counts where there is one, and the other is kept as ``raw_text``.

    Raises:
        DataError: a line has another number of fields.
    """
    for line in read_lines(metadata):
        if not line.text.strip():
            continue
        fields = line.text.split("|")
        if len(fields) not in (2, 3) or not fields[0].strip():
            raise line.fault("the line is not 'id|text' or 'id|text|normalized text'")
        identity, raw, text = fields[0].strip(), fields[1], fields[-1]
        places = [metadata.parent / "wavs" / f"{identity}{suffix}" for suffix in SUFFIXES]
        audio = next((place for place in places if is_file(place)), places[0])
        custom = {"raw_text": raw} if raw != text else {}
        yield Utterance(id=identity, audio=audio, where=line.where, text=text.strip() or raw, custom=custom)
