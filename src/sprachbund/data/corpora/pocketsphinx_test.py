"""pocketsphinx-test: ten read English clips of a speech recogniser's own tests, for smoke tests."""

import re
from functools import partial
from pathlib import Path

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import POCKETSPHINX
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import normalize_line
from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import probe_audio, read_audio

NAME = "pocketsphinx-test"
LICENCE = "BSD-2-Clause"
ATTRIBUTION = "Test recordings of PocketSphinx: (C) Carnegie Mellon University."
TRANSCRIPTS = ("librivox/transcription", "cards/cards.transcription")

_DATA = "usr/share/pocketsphinx/test/data"
_LINE = re.compile(r"(?:<s>)?(.*?)(?:</s>)?\s*\((\S+)\)\s*")


def read_transcripts(data: Path) -> dict[str, str]:
    """Path of a recording below `data` -> its text.

    Raises:
        CorpusError: a list is missing, or a line of it is of another form.
    """
    texts = {}
    for name in TRANSCRIPTS:
        try:
            lines = (data / name).read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            where = data / name
            raise CorpusError(
                "the transcripts cannot be read", where=where, given=error, mend=POCKETSPHINX.mend
            ) from None
        for line in filter(str.strip, lines):
            match = _LINE.fullmatch(line)
            if match is None:
                where = data / name
                raise CorpusError("a transcript is of another form", where=where, given=line, mend=POCKETSPHINX.mend)
            texts[f"{name.partition('/')[0]}/{match[2]}.wav"] = match[1].strip()
    return texts


def read(source: Path | None) -> Speech:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([POCKETSPHINX], source)[POCKETSPHINX.name]
    data = unpacked / _DATA
    clips = [_to_clip(data, path, text) for path, text in read_transcripts(data).items()]
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((POCKETSPHINX, unpacked),), ("copyright",))
    return Speech(origin, {"all": clips}, partial(decode, data))


def _to_clip(data: Path, path: str, text: str) -> Clip:
    info = probe_audio(data / path)
    stem = path.removesuffix(".wav")
    clip_id, recording = f"{NAME}-{stem.replace('/', '-')}", f"recordings/{stem}.flac"
    said = normalize_line(text, "en")
    custom = {"raw_text": text, "path": path}
    return Clip(clip_id, recording, info.sampling_rate, info.num_samples, said, "en", custom=custom)


def decode(data: Path, clip: Clip) -> Float[Array, " sample"]:
    """Read the recording of a clip below the folder of the package's data."""
    return read_audio(data / clip.custom["path"], clip.sampling_rate)


CORPUS = speech_corpus(
    read,
    name=NAME,
    languages=("en",),
    minutes=0.57,
    licence=LICENCE,
    description="Ten read clips, for smoke tests (manifest all)",
)
