"""steel-sky: the speech of the game Beneath a Steel Sky, with its texts in English and six more languages."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from sprachbund.data.corpora.layout import (
    Clip,
    Origin,
    Prepared,
    begin_corpus,
    find_prepared,
    finish_speech,
    is_written,
)
from sprachbund.data.corpora.packages import STEEL_SKY, fetch_packages
from sprachbund.data.corpora.progress import show_progress
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
from sprachbund.data.corpora.splits import remove_overlap
from sprachbund.errors import CorpusError
from sprachbund.signal.audio import write_audio
from sprachbund.tokens.normalize import natural_case, normalize_text, remove_non_speech_marks, spell_numbers

NAME = "steel-sky"
LICENCE = "Beneath-a-Steel-Sky-License (free redistribution and modification; the game itself may not be sold)"
ATTRIBUTION = "Speech and texts: (C) Revolution Software Ltd, from the game Beneath a Steel Sky."
SHORTEST = 0.4  # seconds; what is not longer is left out
SPLIT_SECTIONS = {"train": (2, 3, 4), "dev": (1,), "test": (0, 5)}
FAST_SPEECH = 25  # characters a second, above which text and recording hardly fit

_DATA = "usr/share/scummvm/beneath-a-steel-sky"
_DEFAULT_ENGLISH, _OTHER_ENGLISH = "en-US", "en-GB"
_CHUNK = 16  # recordings that a worker takes at once


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
    return remove_overlap(**clips)


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


def prepare(root: Path, source: Path | None = None, progress: bool = False) -> Prepared:
    """Write the corpus below `root`; recordings that are there already are kept.

    Args:
        root: folder of all corpora.
        source: the package as a file or folder, see `fetch_packages`.
        progress: whether to show a bar.

    Raises:
        CorpusError: the package cannot be had, or its files are damaged.
    """
    prepared = find_prepared(root / NAME)
    if prepared is not None:
        return prepared
    unpacked = fetch_packages([STEEL_SKY], source)[STEEL_SKY.name]
    archive = SkyArchive(unpacked / _DATA)
    splits = split_lines(read_lines(archive))
    folder = begin_corpus(root, NAME)
    write_recordings(archive.path.parent, folder, [clip for clips in splits.values() for clip in clips], progress)
    origin = Origin(
        NAME, ("en", *TRANSLATIONS), LICENCE, ATTRIBUTION, ((STEEL_SKY, unpacked),), ("copyright", "readme.txt.gz")
    )
    notes = {"fast_lines": {split: _fast_lines(splits[split]) for split in ("dev", "test")}}
    return finish_speech(folder, origin, splits, notes)


def write_recordings(data: Path, folder: Path, clips: Sequence[Clip], progress: bool) -> None:
    """Decompress the recordings of `clips` into FLAC files below `folder`, on all processors."""
    tasks = [
        (data, folder / clip.recording, clip.custom["section"], clip.custom["index"])
        for clip in clips
        if not is_written(folder / clip.recording, clip.num_samples, clip.sampling_rate)
    ]
    for _ in show_progress(_run_tasks(tasks), f"{NAME}: recordings", len(tasks), progress):
        pass


def _fast_lines(clips: Sequence[Clip]) -> list[str]:
    """Clips that hold more characters than can be said; kept, so that the counts are those known of the corpus."""
    return [clip.clip_id for clip in clips if len(clip.text) > FAST_SPEECH * clip.duration]


def _run_tasks(tasks: Sequence[tuple[Path, Path, int, int]]) -> Iterator[None]:
    workers = min(os.cpu_count() or 1, (len(tasks) + _CHUNK - 1) // _CHUNK)
    if workers < 2:
        yield from map(_write_recording, tasks)
        return
    # Spawned, because forking a process that runs threads (the progress bar, PyTorch) may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_write_recording, tasks, chunksize=_CHUNK)
        except BrokenProcessPool:
            raise CorpusError(
                "a process that decompresses recordings was ended from outside",
                mend="Check the free memory, and run the same command again; what is written is kept.",
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_archives: dict[Path, SkyArchive] = {}  # of a worker, so that each reads the index once


def _write_recording(task: tuple[Path, Path, int, int]) -> None:
    data, path, section, index = task
    if data not in _archives:
        _archives[data] = SkyArchive(data)
    samples = np.frombuffer(_archives[data].read_voice(section, index), dtype=np.uint8)
    # 8 bits less an offset are exact in 16 bits.
    write_audio(path, (samples.astype(np.float32) - SILENCE) / SILENCE, SAMPLING_RATE)
