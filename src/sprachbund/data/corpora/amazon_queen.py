"""amazon-queen: the speech of the game Flight of the Amazon Queen, with its English texts and its characters."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from sprachbund.data.corpora.layout import Clip, Origin
from sprachbund.data.corpora.package_cache import fetch_packages
from sprachbund.data.corpora.packages import AMAZON_QUEEN
from sprachbund.data.corpora.queen_container import (
    BYTES_A_SECOND,
    SAMPLING_RATE,
    QueenContainer,
    count_samples,
    decode_stream,
)
from sprachbund.data.corpora.queen_dialogues import JOE, QueenLine, read_comments, read_cutaway, read_dialogue
from sprachbund.data.corpora.speech import Speech, speech_corpus
from sprachbund.data.corpora.splits import split_by_checksum
from sprachbund.shapes import Array, Float
from sprachbund.tokens.normalize import normalize_text, remove_non_speech_marks, spell_numbers

NAME = "amazon-queen"
LICENCE = "Flight-of-the-Amazon-Queen-License (free redistribution and modification; the game itself may not be sold)"
ATTRIBUTION = "Speech and texts: (C) John Passfield and Steven Stamatiadis, from the game Flight of the Amazon Queen."
SHORTEST = 0.4  # seconds; what is not longer is left out

_DATA = "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
_COMMENTS = "QUEEN2.JAS"
_SPLIT_PARTS = 20


@dataclass(frozen=True)
class QueenClip:
    """A recording, and the segment of a line that it says."""

    name: str  # of the resource
    size: int  # bytes
    text: str  # the segment as written
    line: QueenLine

    @property
    def seconds(self) -> float:
        """Duration by the constant bit rate."""
        return self.size / BYTES_A_SECOND

    @property
    def normalized(self) -> str:
        """The reference text, digits as they are written; the counts known of the corpus are of this form."""
        return normalize_text(remove_non_speech_marks(self.text))

    @property
    def is_usable(self) -> bool:
        """Whether something is said, and there is enough sound for it."""
        return bool(self.normalized) and self.seconds > SHORTEST


def read_clips(container: QueenContainer) -> list[QueenClip]:
    """All recordings with a text, sorted by name; where two lines name one recording, the first has it.

    Raises:
        CorpusError: the container is damaged.
    """
    lines = [line for name in container.names(".DOG") for line in read_dialogue(name, container.read(name))]
    lines += [line for name in container.names(".CUT") for line in read_cutaway(name, container.read(name))]
    lines += read_comments(_COMMENTS, container.read(_COMMENTS))
    clips: dict[str, QueenClip] = {}
    for line in lines:
        for name, text in line.segments():
            if name in container.resources and name not in clips:
                clips[name] = QueenClip(name, container.resources[name].size, text, line)
    return [clips[name] for name in sorted(clips)]


def split_clips(clips: Sequence[QueenClip], samples: Mapping[str, int]) -> dict[str, list[Clip]]:
    """Train, dev and test by the checksum of the scene; and for character identification ``characters-*``.

    Args:
        clips: all.
        samples: name of a recording -> how many it decodes to.
    """
    usable = [clip for clip in clips if clip.is_usable]
    by_scene = split_by_checksum(
        ((clip.line.group, to_clip(clip, samples[clip.name])) for clip in usable), _SPLIT_PARTS
    )
    by_character = {
        f"characters-{split}": [to_clip(clip, samples[clip.name], clip.line.speaker) for clip in part]
        for split, part in split_characters(clips).items()
    }
    return {**by_scene, **by_character}


def split_characters(clips: Sequence[QueenClip]) -> dict[str, list[QueenClip]]:
    """Dialogue lines of all but Joe: a label's last dialogue is test, of three and more the one before it is dev.

    Labels with one dialogue are left out. The labels are characters, not people: actors play several.
    """
    spoken = [clip for clip in clips if clip.line.source == "DOG" and clip.line.speaker != JOE]
    files: dict[str, set[str]] = {}
    for clip in spoken:
        files.setdefault(str(clip.line.speaker), set()).add(clip.line.group)
    splits: dict[str, str] = {}
    for groups in files.values():
        ordered = sorted(groups, key=_trailing_number)
        if len(ordered) > 1:
            splits |= {**dict.fromkeys(ordered, "train"), ordered[-1]: "test"}
        if len(ordered) > 2:
            splits[ordered[-2]] = "dev"
    return {
        split: [clip for clip in spoken if splits.get(clip.line.group) == split] for split in ("train", "dev", "test")
    }


def _trailing_number(group: str) -> int:
    digits = re.search(r"\d*$", group)
    return int(digits[0]) if digits and digits[0] else 0


def to_clip(clip: QueenClip, num_samples: int, character: str | None = None) -> Clip:
    """The recording with its reference text, all numbers in words; `character` stands as its speaker."""
    stem = clip.name.removesuffix(".SB")
    return Clip(
        clip_id=f"{NAME}-{stem}",
        recording=f"recordings/{stem}.flac",
        sampling_rate=SAMPLING_RATE,
        num_samples=num_samples,
        text=normalize_text(spell_numbers(remove_non_speech_marks(clip.text))),
        language="en",
        speaker=character,
        custom={
            "raw_text": " ".join(clip.text.split()),
            "character": clip.line.speaker,
            "file": clip.line.file,
            "resource": clip.name,
        },
    )


def read(source: Path | None) -> Speech:
    """The corpus in its package, which `fetch_packages` finds with `source`.

    Raises:
        CorpusError: the package cannot be had, or its file is damaged.
    """
    unpacked = fetch_packages([AMAZON_QUEEN], source)[AMAZON_QUEEN.name]
    container = QueenContainer(unpacked / _DATA)
    clips = read_clips(container)
    samples = {clip.name: count_samples(container.read(clip.name), where=clip.name) for clip in clips}
    origin = Origin(NAME, ("en",), LICENCE, ATTRIBUTION, ((AMAZON_QUEEN, unpacked),), ("copyright", "readme.txt.gz"))
    return Speech(origin, split_clips(clips, samples), partial(decode, container.path))


def decode(path: Path, clip: Clip) -> Float[Array, " sample"]:
    """Decode the recording of a clip out of the container at `path`."""
    resource = clip.custom["resource"]
    return decode_stream(_open_container(path).read(resource), where=f"{path}, {resource}")


@cache
def _open_container(path: Path) -> QueenContainer:
    """So that each process reads the table once."""
    return QueenContainer(path)


CORPUS = speech_corpus(
    read,
    name=NAME,
    languages=("en",),
    minutes=264.93,
    licence="Flight-of-the-Amazon-Queen-License",
    description="Acted English lines of a game, strongly compressed; also labelled with characters",
    avoids=("steel-sky",),
)
