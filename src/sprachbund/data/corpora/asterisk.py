"""asterisk: the prompts of a telephone exchange, read by one voice a language.

A further language is a row of `LANGUAGES`, and two packages.
"""

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import Package, fetch_packages
from sprachbund.data.corpora.packages import ASTERISK_SOUNDS, ASTERISK_TEXTS
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import normalize_line, split_by_checksum
from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import SAMPLING_RATE, probe_audio, read_audio

_ENCLOSED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_BY_DIGIUM = "financed by Digium, Inc. (digium.com)."


@dataclass(frozen=True)
class PromptLanguage:
    """The packages of one language, and who speaks."""

    name: str  # of the corpus
    language: str
    locale: str  # folder of the recordings
    speaker: str  # one person reads both English and Spanish
    licence: str
    attribution: str
    minutes: float
    texts: Package
    recordings: Package

    def text_path(self, unpacked: Path) -> Path:
        """The list of prompts below the folder of the text package."""
        return unpacked / f"usr/share/doc/{self.texts.name}/core-sounds-{self.language}.txt.gz"

    def recordings_folder(self, unpacked: Path) -> Path:
        """The recordings below the folder of the other package."""
        return unpacked / "usr/share/asterisk/sounds" / self.locale


def _row(language: str, locale: str, speaker: str, licence: str, reader: str, minutes: float) -> PromptLanguage:
    return PromptLanguage(
        name="asterisk" if language == "en" else f"asterisk-{language}",
        language=language,
        locale=locale,
        speaker=speaker,
        licence=licence,
        attribution=f"{reader}; {_BY_DIGIUM}",
        minutes=minutes,
        texts=ASTERISK_TEXTS[language],
        recordings=ASTERISK_SOUNDS[language],
    )


_ALLISON = "Recorded by Allison Smith (theivrvoice.com)"
LANGUAGES = {
    "en": _row("en", "en_US_f_Allison", "allison", "CC-BY-SA-3.0", _ALLISON, 24.27),
    "es": _row("es", "es_MX_f_Allison", "allison", "CC-BY-SA-3.0", _ALLISON, 28.87),
    "fr": _row("fr", "fr_CA_f_June", "june", "CC-BY-SA-3.0", "Recorded by June Wallack (junewallack.com)", 23.91),
    "it": _row("it", "it_IT_m_Carlo", "carlo", "CC-BY-3.0", "Recorded by Carlo Flora", 22.54),
    "ru": _row("ru", "ru_RU_f_IvrvoiceRU", "ivrvoice", "CC-BY-3.0", "Provided by Maxim Topal (ivrvoice.ru)", 23.52),
}


@dataclass(frozen=True)
class Prompt:
    """A recording and what it says."""

    key: str  # path below the folder of recordings, without suffix
    path: Path
    num_samples: int
    typed: str  # the text of the list
    text: str  # without remarks in brackets


def parse_texts(content: str) -> dict[str, str]:
    """Key -> text, a line each as ``key: text``; comments start with a semicolon; the last of equal keys counts."""
    texts = {}
    for line in content.removeprefix("\ufeff").split("\n"):
        key, colon, text = line.partition(":")
        if colon and not line.startswith(";"):
            texts[key.strip()] = text.strip()
    return texts


def clean_text(text: str) -> str:
    """What a prompt says; empty if it is no speech: it opens with a square bracket, is one remark, or lacks letters.

    Remarks in brackets inside are dropped.
    """
    if text.startswith("[") or (text.startswith("(") and text.endswith(")") and _ENCLOSED.fullmatch(text)):
        return ""
    said = " ".join(_ENCLOSED.sub(" ", text).split())
    return said if any(character.isalpha() for character in said) else ""


def read_prompts(row: PromptLanguage, texts: Path, recordings: Path) -> list[Prompt]:
    """The prompts that are speech and have both a text and a recording, in the order of keys.

    Args:
        row: the language.
        texts: folder of the unpacked text package.
        recordings: folder of the unpacked package of recordings.

    Raises:
        CorpusError: the list of prompts is missing or damaged.
    """
    path = row.text_path(texts)
    try:
        listed = parse_texts(gzip.decompress(path.read_bytes()).decode("utf-8"))
    except (OSError, EOFError, ValueError) as error:
        raise CorpusError("the list of prompts cannot be read", where=path, given=error, mend=row.texts.mend) from None
    folder = row.recordings_folder(recordings)
    prompts = []
    for recording in sorted(folder.rglob("*.g722")):
        key = recording.relative_to(folder).with_suffix("").as_posix()
        typed = listed.get(key, "")
        if said := clean_text(typed):
            prompts.append(Prompt(key, recording, probe_audio(recording).num_samples, typed, said))
    return sorted(prompts, key=lambda prompt: prompt.key)


def split_prompts(row: PromptLanguage, prompts: Sequence[Prompt]) -> dict[str, list[Clip]]:
    """Train, dev and test by the checksum of the key, and ``all``, the recommended use: everything as a test set."""
    clips = [to_clip(row, prompt) for prompt in prompts]
    keys = [prompt.key for prompt in prompts]
    return {**split_by_checksum(zip(keys, clips, strict=True)), "all": clips}


def to_clip(row: PromptLanguage, prompt: Prompt) -> Clip:
    """The prompt with its reference text, all numbers in words."""
    return Clip(
        clip_id=f"{row.name}-{prompt.key.replace('/', '-')}",
        recording=f"recordings/{prompt.key}.flac",
        sampling_rate=SAMPLING_RATE,
        num_samples=prompt.num_samples,
        text=normalize_line(prompt.text, row.language),
        language=row.language,
        speaker=row.speaker,
        custom={"raw_text": prompt.typed, "key": prompt.key},
    )


def read(language: str, source: Path | None) -> Speech:
    """The corpus of a language in its packages, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
    """
    row = LANGUAGES[language]
    unpacked = fetch_packages([row.texts, row.recordings], source)
    texts, recordings = unpacked[row.texts.name], unpacked[row.recordings.name]
    splits = split_prompts(row, read_prompts(row, texts, recordings))
    packages = ((row.texts, texts), (row.recordings, recordings))
    origin = Origin(row.name, (row.language,), row.licence, row.attribution, packages, ("copyright",))
    return Speech(origin, splits, partial(decode, row.recordings_folder(recordings)))


def decode(folder: Path, clip: Clip) -> Float[Array, " sample"]:
    """Decode the G.722 stream of a clip below `folder`."""
    return read_audio(folder / f"{clip.custom['key']}.g722", SAMPLING_RATE)


_VOICES = {"en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ru": "Russian"}
CORPORA = tuple(
    speech_corpus(
        partial(read, language),
        name=row.name,
        languages=(language,),
        minutes=row.minutes,
        licence=row.licence,
        description=f"Telephone prompts of one {_VOICES[language]} voice; best used as a test set (manifest all)",
    )
    for language, row in LANGUAGES.items()
)
