"""fillets: the dialogues of the game Fish Fillets, acted in Czech and in Dutch, with texts in many languages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import FILLETS_SOUNDS, FILLETS_TEXTS
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import normalize_line, split_by_checksum
from sprachbund.errors import CorpusError
from sprachbund.shapes import Array, Float
from sprachbund.signal.audio import probe_audio, read_audio

LANGUAGES = {"cs": "Czech", "nl": "Dutch"}
LICENCE = "GPL-2"
ATTRIBUTION = "Fish Fillets: (C) ALTAR interactive, Ivo and Pavel Danihelka and others, from the game's free release."
SHARED = "share"  # the folder of the dialogues that several levels use

_SCRIPTS = "usr/share/games/fillets-ng/script"
_SOUNDS = "usr/share/games/fillets-ng/sound"
_MINUTES = {"cs": 103.65, "nl": 95.59}
_FISH = {"font_small": "small", "font_big": "big"}  # letters by which the two heroes are told apart
# Recordings of no sample, as the package has them: level, language, id.
SAMPLELESS = {("elevator1", "nl", "zd1-m-cesta"), ("gems", "nl", "zav-v-sto")}

_STRING = r'"((?:[^"\\]|\\.)*)"'
# The last branch is a call in a loop, with other things than strings.
_CALL = re.compile(
    rf"dialogId\s*\(\s*{_STRING}\s*,\s*{_STRING}\s*,\s*{_STRING}\s*\)|dialogStr\s*\(\s*{_STRING}\s*\)|dialogId",
    re.DOTALL,
)
_FILE = re.compile(r"(?:.+_)?dialogs_([A-Za-z_]+)\.lua")


@dataclass(frozen=True)
class Dialogue:
    """What a recording says, in all the languages there are."""

    font: str
    texts: dict[str, str]  # language -> text


@dataclass(frozen=True)
class FilletsLine:
    """A recording and its dialogue."""

    place: tuple[str, str]  # folder below that of the sounds (``LEVEL`` or ``share/SET``), and id
    sampling_rate: int
    num_samples: int
    dialogue: Dialogue


def parse_script(content: str) -> list[tuple[str, str, str, str | None]]:
    """Id, font, English text and translation (None where there is none) of a script's dialogues, in order."""
    entries: list[tuple[str, str, str, str | None]] = []
    is_open = False  # whether a translation belongs to the last entry
    for match in _CALL.finditer(content):
        name, font, english, translation = (part if part is None else _unescape(part) for part in match.groups())
        if translation is None:
            is_open = name is not None
        if name is not None:
            entries.append((name, font or "", english or "", None))
        elif translation is not None and is_open:
            entries[-1] = (*entries[-1][:3], translation)
    return entries


def read_dialogues(scripts: Path) -> dict[tuple[str, str], Dialogue]:
    """The dialogues of all levels: (level, or ``share``; id) -> dialogue.

    Raises:
        CorpusError: a script cannot be read.
    """
    dialogues: dict[tuple[str, str], Dialogue] = {}
    for path in sorted(scripts.rglob("*dialogs_*.lua")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        try:
            entries = parse_script(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError("a script cannot be read", where=path, given=error, mend=FILLETS_TEXTS.mend) from None
        for name, font, english, translation in entries:
            dialogue = dialogues.setdefault((path.parent.name, name), Dialogue(font, {}))
            text = english if match[1] == "en" else translation
            dialogue.texts.setdefault("en", english)
            if text is not None:
                dialogue.texts[match[1]] = text
    return dialogues


def read_lines(language: str, scripts: Path, sounds: Path) -> list[FilletsLine]:
    """The recordings of a language that have a text, in the order of their paths.

    Left out are texts that are empty or hold a placeholder (%), and the recordings of no sample.

    Raises:
        CorpusError: a script cannot be read.
        AudioError: a recording is damaged.
    """
    dialogues = read_dialogues(scripts)
    lines = []
    for path in sorted(sounds.rglob(f"{language}/*.ogg")):
        folder = path.parent.parent.relative_to(sounds).as_posix()
        dialogue = dialogues.get((folder.partition("/")[0], path.stem))
        text = dialogue.texts.get(language, "") if dialogue else ""
        is_usable = normalize_line(text, language) and "%" not in text
        if dialogue is not None and is_usable and (folder, language, path.stem) not in SAMPLELESS:
            info = probe_audio(path)
            lines.append(FilletsLine((folder, path.stem), info.sampling_rate, info.num_samples, dialogue))
    return lines


def split_lines(language: str, lines: Sequence[FilletsLine]) -> dict[str, list[Clip]]:
    """Train, dev and test by the checksum of the level, in both languages; dev may share a text with test."""
    clips = ((line.place[0], to_clip(language, line)) for line in lines)
    return split_by_checksum(clips, also_from_dev=False)


def to_clip(language: str, line: FilletsLine) -> Clip:
    """The recording with its reference text, all numbers in words, and the texts of the other languages."""
    folder, name = line.place
    texts = {other: " ".join(text.split()) for other, text in sorted(line.dialogue.texts.items())}
    fish = _FISH.get(line.dialogue.font)
    return Clip(
        clip_id=f"fillets-{language}-{folder.replace('/', '-')}-{name}",
        recording=f"recordings/{folder}/{name}.flac",
        sampling_rate=line.sampling_rate,
        num_samples=line.num_samples,
        text=normalize_line(texts[language], language),
        language=language,
        speaker=f"fillets-{language}-{fish}" if fish else None,
        custom={
            "raw_text": texts[language],
            "translations": {other: text for other, text in texts.items() if other != language and text},
            "font": line.dialogue.font,
            "level": folder,
            "dialogue": name,
        },
    )


def read(language: str, source: Path | None) -> Speech:
    """The corpus of a language in its packages, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
    """
    package = FILLETS_SOUNDS[language]
    unpacked = fetch_packages([package, FILLETS_TEXTS], source)
    sounds = unpacked[package.name] / _SOUNDS
    lines = read_lines(language, unpacked[FILLETS_TEXTS.name] / _SCRIPTS, sounds)
    packages = tuple((used, unpacked[used.name]) for used in (package, FILLETS_TEXTS))
    origin = Origin(f"fillets-{language}", (language,), LICENCE, ATTRIBUTION, packages, ("copyright",))
    return Speech(origin, split_lines(language, lines), partial(decode, sounds))


def decode(sounds: Path, clip: Clip) -> Float[Array, " sample"]:
    """Decode the recording of a clip below the folder of sounds."""
    path = sounds / clip.custom["level"] / clip.language / f"{clip.custom['dialogue']}.ogg"
    return read_audio(path, clip.sampling_rate)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text, flags=re.DOTALL)


CORPORA = tuple(
    speech_corpus(
        partial(read, language),
        name=f"fillets-{language}",
        languages=(language,),
        minutes=_MINUTES[language],
        licence=LICENCE,
        description=f"Acted {name} lines of a game, mostly of two voices, with translations",
    )
    for language, name in LANGUAGES.items()
)
