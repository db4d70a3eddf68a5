"""steel-sky: the speech of the game Beneath a Steel Sky, with its texts in English and six more languages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import STEEL_SKY
from sprachbund.data.corpora.sky_archive import SAMPLING_RATE, SECTION_BASES, SILENCE, SkyArchive, Voice
from sprachbund.data.corpora.sky_texts import (
    LANGUAGE_SLOTS,
    TRANSLATIONS,
    TextFile,
    read_table,
    restore_capital_acute,
    text_file_id,
    to_unicode,
)
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import remove_overlap
from sprachbund.shapes import Array, Float
from sprachbund.tokens.normalize import natural_case, normalize_text, remove_non_speech_marks, spell_numbers

NAME = "steel-sky"
LICENCE = "Beneath-a-Steel-Sky-License (free redistribution and modification; the game itself may not be sold)"
ATTRIBUTION = "Speech and texts: (C) Revolution Software Ltd, from the game Beneath a Steel Sky."
SHORTEST = 0.4  # seconds; what is not longer is left out
SPLIT_SECTIONS = {"train": (2, 3, 4), "dev": (1,), "test": (0, 5)}
FAST_SPEECH = 25  # characters a second, above which text and recording hardly fit

_DATA = "usr/share/scummvm/beneath-a-steel-sky"
_DEFAULT_ENGLISH, _OTHER_ENGLISH = "en-US", "en-GB"


@dataclass(frozen=True)
class SkyLine:
    """A voiced line as the game holds it."""

    voice: Voice
    english: str  # of the two English texts, the one that is spoken
    translations: dict[str, str]  # language -> text; capitals mark emphasis

    @property
    def normalized(self) -> str:
        """The reference text, digits as they are written; the counts known of the corpus are of this form."""
        return normalize_text(remove_non_speech_marks(self.english))

    @property
    def is_usable(self) -> bool:
        """Whether there is a text, and enough sound for one."""
        return bool(self.normalized) and self.voice.num_samples > SHORTEST * SAMPLING_RATE


def read_lines(archive: SkyArchive) -> list[SkyLine]:
    """All voiced lines, in the order of sections and indices.

    Raises:
        CorpusError: the archive is damaged.
    """
    texts = _read_text_files(archive)
    spoken_british = {(section, index) for section, index in read_table("english_choice")["use_language_index_0"]}

    def read(slot: str, voice: Voice) -> str:
        return to_unicode(texts[slot, voice.section].read(voice.index), slot)

    lines = []
    for voice in archive.voices():
        is_british = (voice.section, voice.index) in spoken_british
        english = read(_OTHER_ENGLISH if is_british else _DEFAULT_ENGLISH, voice)
        lines.append(SkyLine(voice, english, {language: read(language, voice) for language in TRANSLATIONS}))
    return lines


def _read_text_files(archive: SkyArchive) -> dict[tuple[str, int], TextFile]:
    files = {}
    for slot, language in enumerate(LANGUAGE_SLOTS):
        for section in range(len(SECTION_BASES)):
            file_id = text_file_id(slot, section)
            files[language, section] = TextFile(archive.read(file_id), where=f"{archive.path}, file {file_id}")
    return files


def split_lines(lines: Sequence[SkyLine]) -> dict[str, list[Clip]]:
    """Usable lines as clips of train, dev and test: by section (a scene), without texts of held-out sets."""
    usable = [line for line in lines if line.is_usable]
    clips = {
        split: [to_clip(line) for line in usable if line.voice.section in sections]
        for split, sections in SPLIT_SECTIONS.items()
    }
    return remove_overlap(clips["train"], clips["dev"], clips["test"])


def to_clip(line: SkyLine) -> Clip:
    """The line with its reference text and natural-case translations, all numbers in words."""
    section, index = line.voice.section, line.voice.index
    raw_text = " ".join(line.english.split())
    return Clip(
        clip_id=f"{NAME}-{section}-{index:04d}",
        recording=f"recordings/{section}-{index:04d}.flac",
        sampling_rate=SAMPLING_RATE,
        num_samples=line.voice.num_samples,
        text=normalize_text(spell_numbers(remove_non_speech_marks(raw_text))),
        language="en",
        custom={
            "raw_text": raw_text,
            "translations": {name: to_natural_text(text, name) for name, text in line.translations.items()},
            "section": section,
            "index": index,
        },
    )


def to_natural_text(text: str, language: str) -> str:
    """A translation as one would write it: emphasis in natural case, numbers in words, single spaces."""
    if language == "pt":
        text = restore_capital_acute(text)
    return " ".join(spell_numbers(natural_case(text, read_table("emphasis")[language]), language).split())


def read(source: Path | None) -> Speech:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or its files are damaged.
    """
    unpacked = fetch_packages([STEEL_SKY], source)[STEEL_SKY.name]
    archive = SkyArchive(unpacked / _DATA)
    splits = split_lines(read_lines(archive))
    notices = ("copyright", "readme.txt.gz")
    origin = Origin(NAME, ("en", *TRANSLATIONS), LICENCE, ATTRIBUTION, ((STEEL_SKY, unpacked),), notices)
    notes = {"fast_lines": {split: _fast_lines(splits[split]) for split in ("dev", "test")}}
    return Speech(origin, splits, partial(decode, archive.path.parent), notes)


def decode(data: Path, clip: Clip) -> Float[Array, " sample"]:
    """Decompress the recording of a clip out of the archive in the folder `data`."""
    voice = _open_archive(data).read_voice(clip.custom["section"], clip.custom["index"])
    samples = np.frombuffer(voice, dtype=np.uint8)
    # 8 bits less an offset are exact in 16 bits.
    return (samples.astype(np.float32) - SILENCE) / SILENCE


def _fast_lines(clips: Sequence[Clip]) -> list[str]:
    """Clips that hold more characters than can be said; kept, so that the counts are those known of the corpus."""
    return [clip.clip_id for clip in clips if len(clip.text) > FAST_SPEECH * clip.duration]


@cache
def _open_archive(data: Path) -> SkyArchive:
    """So that each process reads the index once."""
    return SkyArchive(data)


CORPUS = speech_corpus(
    read,
    name=NAME,
    languages=("en", *TRANSLATIONS),
    minutes=114.62,
    licence="Beneath-a-Steel-Sky-License",
    description="Acted English lines of a game, with translations into six languages",
    avoids=("amazon-queen",),
)
