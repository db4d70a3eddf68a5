"""tuxpaint: names of drawn things, said by volunteers in many languages; and the sounds of such things, as noise."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import TUXPAINT
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import assign_by_checksum, normalize_line, split_by_checksum
from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import probe_audio, read_audio
from sprachbund.tokens.normalize import normalize_text

LICENCE = "GPL-2"
ATTRIBUTION = "Tux Paint stamps: (C) Bill Kendrick and contributors."
NOISE = "tuxpaint-noise"

# Language -> its name, and the minutes of its splits. Those with less than a minute serve as smoke tests.
LANGUAGES = {
    "fr": ("French", 19.5),
    "ru": ("Russian", 21.7),
    "ro": ("Romanian", 27.1),
    "ca": ("Catalan", 13.5),
    "bg": ("Bulgarian", 17.0),
    "es": ("Spanish", 23.3),
    "be": ("Belarusian", 15.4),
    "el": ("Greek", 14.6),
    "da": ("Danish", 5.0),
    "nl": ("Dutch", 0.6),
    "en": ("English", 0.9),
}
UNSPELLED = ("bg", "el")  # no speller of numbers knows them, so their texts with digits are left out

_STAMPS = "usr/share/tuxpaint/stamps"
_SPOKEN = re.compile(r"(.+)_desc(?:_([A-Za-z_@]+))?")
_TRANSLATION = re.compile(r"([\w@]+)\.utf8=(.*)")
# What is no noise among the files without description: letters and numbers that are said, songs.
_NO_NOISE = ("symbols/", "seasonal/hanukkah/", "military/final-roll-call.ogg")


@dataclass(frozen=True)
class Description:
    """A recording that says what a stamp shows."""

    stamp: str  # path below the folder of stamps, without suffix
    path: str  # of the recording, below the same folder
    sampling_rate: int
    num_samples: int
    text: str
    english: str


def read_texts(stamps: Path) -> dict[str, dict[str, str]]:
    """Stamp -> language -> what it shows.

    Raises:
        CorpusError: a text cannot be read.
    """
    texts = {}
    for path in sorted(stamps.rglob("*.txt")):
        try:
            first, *others = path.read_bytes().decode("utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError("a text cannot be read", where=path, given=error, mend=TUXPAINT.mend) from None
        translations = (match for line in others if (match := _TRANSLATION.match(line.strip())))
        said = {"en": first.strip()} | {match[1]: match[2].strip() for match in translations}
        texts[path.relative_to(stamps).with_suffix("").as_posix()] = said
    return texts


def find_spoken(stamps: Path) -> dict[str, list[tuple[str, str]]]:
    """Language -> (stamp, path) of the descriptions that are said, in the order of paths."""
    spoken: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(stamps.rglob("*.ogg")):
        name = path.relative_to(stamps).as_posix()
        match = _SPOKEN.fullmatch(name.removesuffix(".ogg"))
        if match:
            spoken.setdefault(match[2] or "en", []).append((match[1], name))
    return spoken


def read_descriptions(language: str, stamps: Path) -> list[Description]:
    """The descriptions that are said in a language and have a text of it.

    Raises:
        CorpusError: a text cannot be read.
        AudioError: a recording is damaged.
    """
    texts = read_texts(stamps)
    descriptions = []
    for stamp, name in find_spoken(stamps).get(language, []):
        translations = texts.get(stamp, {})
        if text := translations.get(language):
            info = probe_audio(stamps / name)
            english = translations["en"]
            descriptions.append(Description(stamp, name, info.sampling_rate, info.num_samples, text, english))
    return descriptions


def split_descriptions(language: str, descriptions: Sequence[Description]) -> dict[str, list[Clip]]:
    """Train, dev and test by the checksum of the stamp, so that a stamp is in one set for all languages."""
    kept = [one for one in descriptions if not (language in UNSPELLED and any(c.isdecimal() for c in one.text))]
    return split_by_checksum((one.stamp, to_clip(language, one)) for one in kept)


def to_clip(language: str, description: Description) -> Clip:
    """The recording with its reference text, all numbers in words."""
    normalize = normalize_text if language in UNSPELLED else partial(normalize_line, language=language)
    return Clip(
        clip_id=f"tuxpaint-{language}-{description.stamp.replace('/', '-')}",
        recording=f"recordings/{description.stamp}.flac",
        sampling_rate=description.sampling_rate,
        num_samples=description.num_samples,
        text=normalize(description.text),
        language=language,
        custom={
            "raw_text": description.text,
            "translations": {} if language == "en" else {"en": description.english},
            "path": description.path,
        },
    )


def find_noises(stamps: Path) -> list[str]:
    """Paths of the sound effects: animals, instruments, household, thunder."""
    names = [path.relative_to(stamps).as_posix() for path in sorted(stamps.rglob("*.ogg"))]
    return [name for name in names if "_desc" not in name and not name.startswith(_NO_NOISE)]


def split_noises(stamps: Path) -> dict[str, list[Clip]]:
    """Sound effects in train, dev and test by the checksum of their paths."""
    splits: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for name in find_noises(stamps):
        stem = name.removesuffix(".ogg")
        info = probe_audio(stamps / name)
        clip_id, recording = f"{NOISE}-{stem.replace('/', '-')}", f"recordings/{stem}.flac"
        clip = Clip(clip_id, recording, info.sampling_rate, info.num_samples, "", "", custom={"path": name})
        splits[assign_by_checksum(name)].append(clip)
    return splits


def read(language: str, source: Path | None) -> Speech:
    """The corpus of a language in the package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([TUXPAINT], source)[TUXPAINT.name]
    splits = split_descriptions(language, read_descriptions(language, unpacked / _STAMPS))
    return _speech(f"tuxpaint-{language}", (language,), unpacked, splits)


def read_noise(source: Path | None) -> Speech:
    """The sound effects in the package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or is damaged.
    """
    unpacked = fetch_packages([TUXPAINT], source)[TUXPAINT.name]
    return _speech(NOISE, (), unpacked, split_noises(unpacked / _STAMPS))


def _speech(name: str, languages: tuple[str, ...], unpacked: Path, splits: dict[str, list[Clip]]) -> Speech:
    origin = Origin(name, languages, LICENCE, ATTRIBUTION, ((TUXPAINT, unpacked),), ("copyright",))
    return Speech(origin, splits, partial(decode, unpacked / _STAMPS))


def decode(stamps: Path, clip: Clip) -> Float[Array, " sample"]:
    """Decode the recording of a clip below the folder of stamps."""
    return read_audio(stamps / clip.custom["path"], clip.sampling_rate)


CORPORA = (
    *(
        speech_corpus(
            partial(read, language),
            name=f"tuxpaint-{language}",
            languages=(language,),
            minutes=minutes,
            licence=LICENCE,
            description=f"Names of drawn things said in {name} by volunteers, with English",
        )
        for language, (name, minutes) in LANGUAGES.items()
    ),
    speech_corpus(
        read_noise,
        name=NOISE,
        languages=(),
        kind="noise",
        minutes=4.0,
        licence=LICENCE,
        description="Sounds of animals, instruments, household and weather, for augmentation",
    ),
)
