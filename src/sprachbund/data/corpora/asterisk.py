"""asterisk: the prompts of a telephone exchange, read by one voice a language. English is offered.

Another language is a row of `LANGUAGES`, two packages, and a row of the registry.
"""

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sprachbund.data.corpora.layout import (
    Clip,
    Origin,
    Prepared,
    begin_corpus,
    find_prepared,
    finish_speech,
    is_written,
)
from sprachbund.data.corpora.packages import ASTERISK_EN, ASTERISK_EN_G722, Package, fetch_packages
from sprachbund.data.corpora.progress import show_progress
from sprachbund.data.corpora.splits import assign_by_checksum, remove_overlap
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import SAMPLING_RATE, probe_audio, read_audio, write_audio
from sprachbund.tokens.normalize import normalize_text, spell_numbers

_ENCLOSED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")


@dataclass(frozen=True)
class PromptLanguage:
    """The packages of one language, and who speaks."""

    name: str  # of the corpus
    language: str
    locale: str  # folder of the recordings
    speaker: str
    licence: str
    attribution: str
    texts: Package
    recordings: Package

    def text_path(self, unpacked: Path) -> Path:
        """The list of prompts below the folder of the text package."""
        return unpacked / f"usr/share/doc/{self.texts.name}/core-sounds-{self.language}.txt.gz"

    def recordings_folder(self, unpacked: Path) -> Path:
        """The recordings below the folder of the other package."""
        return unpacked / "usr/share/asterisk/sounds" / self.locale


LANGUAGES = {
    "en": PromptLanguage(
        name="asterisk",
        language="en",
        locale="en_US_f_Allison",
        speaker="allison",
        licence="CC-BY-SA-3.0",
        attribution="Recorded by Allison Smith (theivrvoice.com); financed by Digium, Inc. (digium.com).",
        texts=ASTERISK_EN,
        recordings=ASTERISK_EN_G722,
    )
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
    parts: dict[str, list[Clip]] = {"train": [], "dev": [], "test": []}
    for clip, prompt in zip(clips, prompts, strict=True):
        parts[assign_by_checksum(prompt.key)].append(clip)
    return {**remove_overlap(**parts), "all": clips}


def to_clip(row: PromptLanguage, prompt: Prompt) -> Clip:
    """The prompt with its reference text, all numbers in words."""
    return Clip(
        clip_id=f"{row.name}-{prompt.key.replace('/', '-')}",
        recording=f"recordings/{prompt.key}.flac",
        sampling_rate=SAMPLING_RATE,
        num_samples=prompt.num_samples,
        text=normalize_text(spell_numbers(prompt.text, row.language)),
        language=row.language,
        speaker=row.speaker,
        custom={"raw_text": prompt.typed, "key": prompt.key},
    )


def prepare(root: Path, source: Path | None = None, progress: bool = False) -> Prepared:
    """Write the English corpus below `root`; recordings that are there already are kept.

    Args:
        root: folder of all corpora.
        source: the packages as files or folder, see `fetch_packages`.
        progress: whether to show a bar.

    Raises:
        CorpusError: the packages cannot be had, or are damaged.
    """
    row = LANGUAGES["en"]
    prepared = find_prepared(root / row.name)
    if prepared is not None:
        return prepared
    unpacked = fetch_packages([row.texts, row.recordings], source)
    texts, recordings = unpacked[row.texts.name], unpacked[row.recordings.name]
    prompts = read_prompts(row, texts, recordings)
    splits = split_prompts(row, prompts)
    folder = begin_corpus(root, row.name)
    for prompt in show_progress(prompts, f"{row.name}: recordings", len(prompts), progress):
        path = folder / "recordings" / f"{prompt.key}.flac"
        if not is_written(path, prompt.num_samples, SAMPLING_RATE):
            write_audio(path, read_audio(prompt.path), SAMPLING_RATE)
    packages = ((row.texts, texts), (row.recordings, recordings))
    origin = Origin(row.name, (row.language,), row.licence, row.attribution, packages, ("copyright",))
    return finish_speech(folder, origin, splits, {})
